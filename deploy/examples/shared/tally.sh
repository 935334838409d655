#!/bin/sh
# tally: counts the words on stdin in the dict `words`, and says how many there were.
n=0
for word in $(cat); do
    poold-call dicts/words add --text "$word" >/dev/null || exit
    n=$((n + 1))
done
echo $n
