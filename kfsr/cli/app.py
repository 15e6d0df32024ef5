"""The commands put together, and the one way in and out of the program."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
from typing import Annotated, Any

import typer

from kfsr.cli import bench, deblur, degrade, demo, doctor, evaluate, kernel, recipe, report, upscale
from kfsr.cli.meant import command_meant, option_meant
from kfsr.cli.status import Status, conclude, stoppable
from kfsr.cli.streams import Streams

app = typer.Typer(
    name="kfsr",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=(
        "Data goes to standard output, messages to standard error. Exit status: 0 all done, "
        "1 internal error, 2 wrong usage, 3 some inputs failed, 4 nothing could be done, 5 out of memory, "
        "130 interrupted, 143 terminated; what was finished before stays. KFSR_DEBUG=1 shows tracebacks."
    ),
)


def _print_version(context: typer.Context, wanted: bool) -> None:
    if wanted:
        import kfsr

        context.obj.write_text(f"kfsr {kfsr.__version__}")
        raise typer.Exit()


@app.callback(invoke_without_command=True)
def main(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", "-V", callback=_print_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Zero-shot blind super-resolution: learn one photo's downscaling kernel and invert exactly that."""
    if context.invoked_subcommand is None:
        context.obj.write_text(context.get_help())


app.command("upscale", short_help="Upscale pictures by 2, 3 or 4.")(upscale.upscale)
app.command("deblur", short_help="Sharpen blurred pictures at their own size.")(deblur.deblur)
app.command("kernel", short_help="Find the downscaling kernel, or the blur, of a picture.")(kernel.kernel)
app.command("degrade", short_help="Downscale a sharp picture by a kernel.")(degrade.degrade)
app.command("evaluate", short_help="Score pictures and kernels against the truth.")(evaluate.evaluate)
app.command("bench", short_help="Score a whole data set and print the table.")(bench.bench)
app.command("report", short_help="Make a page of results to look at.")(report.report)
app.command("recipe", short_help="Print the choices of a run as a file.")(recipe.recipe)
app.command("demo", short_help="See what it does, on a picture that comes with it.")(demo.demo)
app.command("doctor", short_help="Check this installation.")(doctor.doctor)


def run(arguments: list[str], streams: Streams | None = None) -> int:
    """Run one command line, on the process's streams unless others are given; returns the exit status. Never raises,
    whatever happens inside."""
    streams = streams or Streams.of_process()
    try:
        with stoppable(), contextlib.ExitStack() as redirected:
            for stream in (streams.stdout, streams.stderr):
                if isinstance(stream, io.TextIOWrapper):  # None when the parent closed it
                    stream.reconfigure(errors="backslashreplace")  # file names may hold anything
            if streams.stdout is not None:
                redirected.enter_context(contextlib.redirect_stdout(streams.stdout))  # typer prints its help there
            status = app(kernel.each_clean(arguments), prog_name="kfsr", standalone_mode=False, obj=streams)
            streams.flush()
    except BaseException as error:
        if hasattr(error, "format_message"):  # typer's own errors; their class has moved between versions
            streams.error(_usage_line(error, arguments))
            return Status.USAGE
        return conclude(error, streams)
    return int(status or Status.DONE)


_PHRASES = (
    (r"^[Ii]nvalid value for '(--?[\w-]+)[^:]*: ", r"\1: "),
    (r"^[Ii]nvalid value: ", ""),
    (r"([-\w.']+) is not in the range ([-\w.]+)<=x<=([-\w.]+)", r"\1 is not between \2 and \3"),
    (r"([-\w.']+) is not in the range x>=([-\w.]+)", r"\1 is less than \2"),
    (r"Input should be a valid integer.*", "must be a whole number"),
    (r"Input should be a valid number.*", "must be a number"),
    (r"Input should be greater than or equal to (\S+)", r"must be \1 or more"),
    (r"Input should be less than or equal to (\S+)", r"must be \1 or less"),
    (r"Input should be", "must be"),
    (r"is not a valid integer( range)?", "is not a whole number"),
    (r"is not a valid float( range)?", "is not a number"),
)
"""typer's phrases, and this program's."""


def _usage_line(error: Any, arguments: list[str]) -> str:
    """typer's message as one line in this program's manner, with where to look further."""
    text = " ".join(error.format_message().split()).rstrip(".").replace("Value error, ", "")
    for phrase, own in _PHRASES:
        text = re.sub(phrase, own, text)
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "kfsr"
    name = next((one for one in arguments if not one.startswith("-")), "")
    if text.lower().startswith("no such command") and name:
        commands = [str(one.name) for one in app.registered_commands]
        text = f"there is no command {name!r}{command_meant(name, arguments, commands)}"
    if option := re.match(r"[Nn]o such option:? (\S+)", text):
        file = next((one for one in arguments if one.startswith("-") and os.path.lexists(one)), None)
        text = option_meant(option[1], command) or text
        text += f"; for the file of that name write {shlex.quote(f'./{file}')}" if file else ""
    return f"{text[:1].lower()}{text[1:]} (see '{command} --help')"
