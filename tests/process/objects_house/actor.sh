#!/bin/sh
# actor: as actor.py. The item is the text "DO NAME WHO N", the answer a JSON array.
read -r do name who n
between=
seen() { # "seen JSON" is the next element
    printf '%s%s' "$between" "$1"
    between=,
}
call() { poold-call "$@" || kill -KILL $$; } # also within $( )

printf '['
i=0
while [ "$do" = get ] || [ "$do" = recv ] || [ $i -lt "$n" ]; do
    case $do in
    put) call "queues/$name" put "[\"$who\",$i]" --wait forever >&2 ;;
    get)
        value=$(call "queues/$name" get --wait forever)
        [ "$value" = null ] && break
        seen "$value"
        ;;
    count)
        token=$(call "locks/$name" acquire --wait forever | sed 's/.*"token":\([0-9]*\).*/\1/')
        value=$(call "dicts/$name" get n)
        call "dicts/$name" set n $((value + 1)) >&2
        call "locks/$name" release >&2
        seen "[$token,$value]"
        ;;
    add) seen "$(call "dicts/$name" add n)" ;;
    shift)
        call "lists/$name" append "[\"$who\",$i]" >&2
        seen "$(call "lists/$name" pop 0)"
        ;;
    hold)
        call "locks/$name" acquire --wait forever >&2
        echo "$$ $PPID" >"$DEEDS_NOTES/$who.new"
        mv "$DEEDS_NOTES/$who.new" "$DEEDS_NOTES/$who"
        exec sleep 600
        ;;
    sum) seen "$(call "values/$name" add)" ;;
    send) call "pipes/$name" send a "[\"$who\",$i]" --wait forever >&2 ;;
    recv)
        value=$(poold-call "pipes/$name" recv b --wait forever) || break
        seen "$value"
        ;;
    permits)
        call "locks/$name" acquire --wait forever >&2
        seen "$(call "dicts/$name" add n 1)"
        call "dicts/$name" add n -1 >&2
        call "locks/$name" release >&2
        ;;
    esac
    i=$((i + 1))
done
printf ']\n'
