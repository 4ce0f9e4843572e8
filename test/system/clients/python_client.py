"""Puts values as Python's http.client does: the whole body first, then it looks for an answer."""

import http.client
import json
import sys

host, port = sys.argv[1], int(sys.argv[2])

for size in (20_000_000, 5):
    connection = http.client.HTTPConnection(host, port, timeout=30)
    connection.request("PUT", "/cache/python", body=b"x" * size)
    answer = connection.getresponse()
    print(answer.status, json.loads(answer.read()).get("code"))
    connection.close()
