"""What the demo says while it goes on."""

from __future__ import annotations

import time

from rich.console import Console
from rich.markup import escape
from rich.panel import Panel

from vpbx.sim import Command

__all__ = ["Narrator"]

_SHOWN = ("phone", "user", "status", "duration", "contact_name")


class Narrator:
    """Tells the story step by step, and remembers what went wrong."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._step = 0
        self._began_at = time.monotonic()
        self.failures: list[str] = []

    def title(self, text: str) -> None:
        self._console.print(Panel.fit(text, border_style="cyan"))

    def step(self, text: str) -> None:
        self._step += 1
        self._console.print(f"\n[bold cyan]{self._step}. {text}[/bold cyan]")

    def say(self, text: str) -> None:
        """Tell what happens (Rich markup)."""
        self._console.print(f"   {text}", soft_wrap=True)

    def plain(self, text: str) -> None:
        """Tell something to be copied, as it is."""
        self._console.print(f"   {escape(text)}", soft_wrap=True, style="bold")

    def good(self, text: str) -> None:
        self._console.print(f"   [green]✓[/green] {escape(text)}", soft_wrap=True)

    def bad(self, text: str) -> None:
        self.failures.append(text)
        self._console.print(f"   [bold red]✗ {escape(text)}[/bold red]", soft_wrap=True)

    def check(self, right: bool, text: str) -> None:
        (self.good if right else self.bad)(text)

    def crm(self, command: Command) -> None:
        """Tell of a command that the CRM has taken."""
        kind = f"{command.cmd} {command.get('type')}".strip()
        facts = " ".join(f"{name}={command[name]}" for name in _SHOWN if command.get(name))
        self._console.print(
            f"   [magenta]CRM ←[/magenta] [bold]{escape(kind)}[/bold]  [dim]{escape(facts)}[/dim]",
            soft_wrap=True,
        )

    def end(self) -> None:
        """Say how it went."""
        seconds = time.monotonic() - self._began_at
        if not self.failures:
            text = f"Everything went right, in {seconds:.0f} seconds."
            self._console.print(f"\n[bold green]✓ {text}[/bold green]")
            return
        self._console.print("\n[bold red]✗ Not everything went right:[/bold red]")
        for failure in self.failures:
            self.say(f"[red]{escape(failure)}[/red]")
