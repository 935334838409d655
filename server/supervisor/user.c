/* user: see user.h. */
#include "supervisor/user.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { UID_MOST = 0x7ffffffe };

/* Its number, or -1. */
static long number_of(const char *text)
{
    char *end;
    errno = 0;
    long number = strtol(text, &end, 10);
    bool good = *text >= '0' && *text <= '9' && *end == '\0' && errno == 0 && number <= UID_MOST;
    return good ? number : -1;
}

static void take_entry(struct worker_user *user, const struct passwd *entry)
{
    user->uid = entry->pw_uid;
    user->gid = entry->pw_gid;
    snprintf(user->name, sizeof user->name, "%s", entry->pw_name);
    snprintf(user->home, sizeof user->home, "%s", entry->pw_dir);
}

static int look_up(const char *text, struct worker_user *user, struct error *error)
{
    long number = number_of(text);
    const struct passwd *entry = getpwnam(text);
    if (entry == NULL && number != -1)
        entry = getpwuid((uid_t)number);
    if (entry != NULL) {
        take_entry(user, entry);
        return 0;
    }
    if (number == -1)
        return error_set(error, "--worker-user: there is no user %s", text);
    *user = (struct worker_user){.uid = (uid_t)number, .gid = (gid_t)number, .home = "/"};
    snprintf(user->name, sizeof user->name, "%ld", number);
    return 0;
}

int worker_user_find(const char *text, struct worker_user *user, struct error *error)
{
    *user = (struct worker_user){.other = false};
    if (text[0] == '\0')
        return 0;
    if (look_up(text, user, error) == -1)
        return -1;
    user->other = user->uid != geteuid();
    if (user->other && geteuid() != 0)
        return error_set(error, "--worker-user %s: only root can start workers as somebody else", text);
    return 0;
}

int worker_user_become(const struct worker_user *user)
{
    if (setgroups(0, NULL) == -1 || setresgid(user->gid, user->gid, user->gid) == -1 ||
        setresuid(user->uid, user->uid, user->uid) == -1)
        return -1;
    setenv("HOME", user->home, 1);
    setenv("USER", user->name, 1);
    setenv("LOGNAME", user->name, 1);
    return 0;
}
