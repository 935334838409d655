#include "base/signal_name.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

const char *signal_name(int signal, char text[SIGNAL_NAME_SIZE])
{
    const char *abbreviation = sigabbrev_np(signal);
    if (abbreviation)
        snprintf(text, SIGNAL_NAME_SIZE, "SIG%s", abbreviation);
    else
        snprintf(text, SIGNAL_NAME_SIZE, "SIG%d", signal);
    return text;
}

const char *signal_name_any(int signal, char text[SIGNAL_NAME_SIZE])
{
    return signal ? signal_name(signal, text) : NULL;
}
