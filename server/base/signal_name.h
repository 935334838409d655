/* signal_name: what people call a signal. Pure. Any thread. */
#ifndef POOLD_BASE_SIGNAL_NAME_H
#define POOLD_BASE_SIGNAL_NAME_H

enum { SIGNAL_NAME_SIZE = 16 };

/* "SIGSEGV" …, or "SIG35" for one that has no name; in `text`, which is returned. */
const char *signal_name(int signal, char text[SIGNAL_NAME_SIZE]);
/* The same, NULL for 0: none. */
const char *signal_name_any(int signal, char text[SIGNAL_NAME_SIZE]);

#endif
