/* kinds: which there are. */
#include "objects/kind.h"

const struct object_kind_ops *const object_kinds[OBJECT_KINDS] = {
    [OBJECT_QUEUE] = &queue_ops, [OBJECT_PIPE] = &pipe_ops,   [OBJECT_LOCK] = &lock_ops,   [OBJECT_DICT] = &dict_ops,
    [OBJECT_LIST] = &list_ops,   [OBJECT_VALUE] = &value_ops, [OBJECT_ARRAY] = &array_ops,
};
