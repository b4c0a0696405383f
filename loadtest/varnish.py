"""Varnish as a peer: a page with ESI, whose fragments come from a service that has them ready."""

import contextlib
import socket
import subprocess
import time
from pathlib import Path

from loadtest.bench_page import Program

VCL = """\
vcl 4.1;
backend site {{ .host = "127.0.0.1"; .port = "{site}"; }}
backend fragments {{ .host = "127.0.0.1"; .port = "{fragments}"; }}
sub vcl_recv {{
    if (req.url ~ "^/fragment/") {{
        set req.backend_hint = fragments;
        return (pass);
    }}
    set req.url = regsub(req.url, "[?].*$", "");
    unset req.http.cookie;
    return (hash);
}}
sub vcl_backend_response {{
    if (bereq.url !~ "^/fragment/") {{
        set beresp.do_esi = true;
        set beresp.do_gzip = true;
    }}
}}
"""
START_TIMEOUT_S = 20.0


class Varnish(Program):
    """varnishd and the service of fragments, charged together: what they cost instead of the edge."""

    fragments: Program

    def cpu_so_far_us(self) -> float:
        """CPU time of both."""
        return super().cpu_so_far_us() + self.fragments.cpu_so_far_us()

    @classmethod
    def start(
        cls, stack: contextlib.ExitStack, folder: Path, site_port: int, fragments: Program
    ) -> "Varnish":
        """One that listens; it ends with the stack."""
        folder.mkdir()
        vcl = folder / "page.vcl"
        vcl.write_text(VCL.format(site=site_port, fragments=fragments.port))
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port: int = probe.getsockname()[1]
        # Threads that stay: what one did that ended could not be counted.
        command = [
            "varnishd",
            "-j",
            "none",
            "-F",
            "-a",
            f"127.0.0.1:{port}",
            "-f",
            str(vcl),
            "-n",
            str(folder / "n"),
        ]
        command += ["-s", "malloc,64m", "-p", "thread_pool_min=100", "-p", "thread_pool_max=200"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        stack.callback(process.wait)
        stack.callback(process.terminate)
        program = cls(process, port)
        program.fragments = fragments
        _await_port(port)
        return program


def _await_port(port: int) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise SystemExit("varnishd does not listen") from None
            time.sleep(0.05)
        else:
            return
