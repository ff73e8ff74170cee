"""Compiles and fills a kickstart with Cheetah at each request, as Cobbler does: seconds for each, on one processor."""

import json
import sys
import time

from Cheetah.Template import Template

text = open(sys.argv[1]).read()
context = json.loads(sys.argv[2])


def once():
    # Cobbler's templar: a new class for each text, and one object of it.
    klass = Template.compile(source=text, cacheCompilationResults=False)
    return str(klass(searchList=[context]))


out = once()
assert context["machine"]["name"] in out and context["report_url"] in out, out
began, count = time.perf_counter(), 0
while time.perf_counter() - began < float(sys.argv[3] if len(sys.argv) > 3 else 5):
    once()
    count += 1
print((time.perf_counter() - began) / count, len(out))
