"""Reads where redirects lead: the site's own paths, and hosts that it allows."""

import re
from typing import Final

from compiler.files.fields import Fields
from compiler.problems import Problems, nearest
from edge.decide.page import read_target

MAX_HOSTS: Final = 256
HOST: Final = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?")


def read_hosts(fields: Fields, problems: Problems) -> tuple[str, ...]:
    """The hosts to which the site may lead its visitors, beside itself."""
    node = fields.mapping("redirects")
    if node is None:
        return ()
    inner = Fields(node, fields.path, "redirects", problems)
    found = []
    for host, line in inner.texts("hosts", required=True):
        if HOST.fullmatch(host):
            found.append(host)
        else:
            inner.error(line, "bad-value", f"has host {host!r}", "write a host alone, like shop.example.com")
    if len(found) > MAX_HOSTS:
        inner.error(node.line, "too-large", f"has {len(found)} hosts", f"at most {MAX_HOSTS}")
    inner.close()
    return tuple(found)


def read_redirect(fields: Fields, hosts: tuple[str, ...]) -> str:
    """The URL under `redirect`; empty after a problem."""
    url = fields.text("redirect", required=True)
    if url is None:
        return ""
    line = fields.line_of("redirect")
    if "{{" in url:
        hint = "write the URL in full: what a visitor sends must not say where they are led"
        fields.error(line, "redirect", f"leads to {url!r}, which has a hole", hint)
        return ""
    try:
        target = read_target(url)
    except ValueError as error:
        fields.error(line, "redirect", f"leads to {url!r}", str(error))
        return ""
    if target.host and target.host not in hosts:
        hint = nearest(target.host, hosts) if hosts else "allow it in site.yaml: redirects: {hosts: [HOST]}"
        fields.error(line, "redirect", f"leads to the host {target.host!r}, which is not allowed", hint)
        return ""
    return url
