"""argument: prints its arguments and what came on stdin, as they are."""
import sys

sys.stdout.buffer.write(b"|".join(a.encode("utf-8", "surrogateescape") for a in sys.argv[1:]) + b"|" + sys.stdin.buffer.read())
