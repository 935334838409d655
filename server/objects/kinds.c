/* kinds: which there are. */
#include "objects/kind.h"

const struct object_kind_ops *const object_kinds[OBJECT_KINDS] = {
    [OBJECT_QUEUE] = &queue_ops, [OBJECT_PIPE] = &pipe_ops, [OBJECT_LOCK] = &lock_ops,
    /* Each kind comes in with its file: [OBJECT_DICT] = &dict_ops … */
};
