#include "base/mailbox.h"

#include "base/check.h"

void mailbox_init(struct mailbox *box, void (*wake)(void *), void *context)
{
    int result = pthread_mutex_init(&box->mutex, NULL);
    CHECK(result == 0, "pthread_mutex_init: %d", result);
    box->first = NULL;
    box->last = &box->first;
    box->wake = wake;
    box->context = context;
}

void mailbox_put(struct mailbox *box, struct mail *mail)
{
    mail->next = NULL;
    pthread_mutex_lock(&box->mutex);
    bool was_empty = box->first == NULL;
    *box->last = mail;
    box->last = &mail->next;
    pthread_mutex_unlock(&box->mutex);
    if (was_empty && box->wake != NULL)
        box->wake(box->context);
}

struct mail *mailbox_take(struct mailbox *box)
{
    pthread_mutex_lock(&box->mutex);
    struct mail *all = box->first;
    box->first = NULL;
    box->last = &box->first;
    pthread_mutex_unlock(&box->mutex);
    return all;
}

void mailbox_destroy(struct mailbox *box)
{
    pthread_mutex_destroy(&box->mutex);
}
