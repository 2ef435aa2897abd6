"""`python -m infra.telegram_simulator`: the simulated Telegram as a process of its own."""

import argparse
import signal
import sys
import threading
from pathlib import Path

import msgspec

from infra.telegram_simulator.channels import Channel
from infra.telegram_simulator.limits import Limits
from infra.telegram_simulator.server import SimulatorServer
from infra.telegram_simulator.simulator import Simulator
from shared.clock import MachineClock


def main(arguments: list[str] | None = None) -> int:
    """Serve until Ctrl-C or SIGTERM; 0, or 1 with a sentence on stderr when it cannot start."""
    options = _parser().parse_args(arguments)
    try:
        channels = _read_channels(options.channels) if options.channels else []
        simulator = Simulator(
            MachineClock(),
            limits=Limits.off() if options.no_limits else Limits(per_second=options.rate),
            database=options.database,
            accept_unknown_channels=options.accept_unknown_channels,
            bot_username=options.bot_username,
        )
        simulator.add_channels(channels)
        latency, jitter = options.latency_ms / 1000, options.jitter_ms / 1000
        server = SimulatorServer(simulator, options.host, options.port, latency_seconds=latency, jitter_seconds=jitter)
        server.start()
    except (OSError, ValueError) as reason:
        sys.stderr.write(f"{reason}\n")
        return 1
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    sys.stdout.write(f"Simulated Telegram at {server.url} (Bot API: {server.url}/bot<token>/<method>)\n")
    sys.stdout.flush()
    stopping.wait()
    server.stop()
    simulator.close()
    return 0


def _read_channels(path: Path) -> list[Channel]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[Channel])
    except msgspec.DecodeError as reason:
        raise ValueError(f"{path}: {reason}") from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m infra.telegram_simulator",
        description="A strict fake of the Telegram Bot API. The channels can be read in a browser at its address.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on")
    add("--port", type=int, default=8081, help="port to listen on; 0 takes a free one")
    add("--database", type=Path, metavar="FILE", help="SQLite file that keeps what was sent; without it, memory only")
    add("--latency-ms", type=float, default=0.0, metavar="N", help="how long every answer takes")
    add("--jitter-ms", type=float, default=0.0, metavar="N", help="by how much that varies, up and down")
    add("--rate", type=int, default=30, metavar="N", help="messages a second the bot may send before a 429")
    add("--no-limits", action="store_true", help="no rate limits: neither the bot's nor a chat's")
    add("--accept-unknown-channels", action="store_true", help="any negative chat id is a channel the bot may post to")
    add("--channels", type=Path, metavar="FILE", help='JSON list: [{"chat_id": -100123, "title": "News"}, …]')
    add("--bot-username", default="simulated_bot", metavar="NAME", help="what getMe answers")
    return parser


if __name__ == "__main__":
    sys.exit(main())
