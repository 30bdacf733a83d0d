import base64
import os
import signal
import time

import pytest

from patchbay.app.clipboard import ClipboardError, read_clipboard_image
from support.clipboards import JPEG, PNG, Programs

X11 = {"DISPLAY": ":7"}
WAYLAND = {"WAYLAND_DISPLAY": "wayland-0"}


@pytest.fixture
def programs(tmp_path):
    return Programs(tmp_path / "bin")


def problem(environ, platform="linux", **options) -> str:
    with pytest.raises(ClipboardError) as caught:
        read_clipboard_image(environ, platform, **options)
    return str(caught.value)


@pytest.mark.parametrize(("name", "display"), [("xclip", X11), ("wl-paste", WAYLAND)])
def test_an_image_comes_through_the_program_of_the_display(programs, name, display):
    programs.gives(name, text=b"words", jpeg=JPEG, png=PNG)
    image = read_clipboard_image(programs.environ(**display), "linux")
    assert (image.data, image.media_type) == (PNG, "image/png")
    assert len(programs.calls) == 2  # asked what there is, then for the best of it


def test_the_first_bytes_say_what_it_is_and_not_the_type_that_was_offered(programs):
    programs.gives("xclip", png=JPEG)
    assert read_clipboard_image(programs.environ(**X11), "linux").media_type == "image/jpeg"
    programs.gives("xclip", png=b"<html>no image</html>")
    assert problem(programs.environ(**X11)).startswith("There is no PNG, JPEG, GIF or WebP image on the clipboard.")


def test_one_that_is_too_large_is_asked_for_in_another_form_and_then_refused(programs):
    programs.gives("xclip", png=PNG * 2, jpeg=JPEG)
    assert read_clipboard_image(programs.environ(**X11), "linux", most_bytes=1500).data == JPEG
    programs.gives("xclip", png=PNG * 2)
    said = problem(programs.environ(**X11), most_bytes=1500)
    assert said.startswith("The image on the clipboard has more than")
    assert "@file" in said


def test_text_and_an_empty_clipboard_are_no_image_and_forms_nobody_takes_are_named(programs):
    programs.gives("xclip", text=b"words")
    assert "no PNG, JPEG, GIF or WebP image" in problem(programs.environ(**X11))
    programs.make("xclip", "echo 'Error: target TARGETS not available' >&2; exit 1")
    assert "no PNG, JPEG, GIF or WebP image" in problem(programs.environ(**X11))
    programs.make("wl-paste", "echo 'Nothing is copied' >&2; exit 1")
    assert "no PNG, JPEG, GIF or WebP image" in problem(programs.environ(**WAYLAND))
    programs.gives("xclip", bmp=b"BM", tiff=b"II")
    assert "on the clipboard, only image/bmp, image/tiff." in problem(programs.environ(**X11))


def test_an_image_file_that_was_copied_in_a_file_manager_is_taken(programs, tmp_path):
    picture, notes = tmp_path / "a picture.png", tmp_path / "notes.txt"
    picture.write_bytes(PNG)
    notes.write_text("words")
    lists = "*TARGETS*) echo text/uri-list; echo text/plain;;"

    def copied(*addresses):
        programs.holds("list", "".join(f"{address}\r\n" for address in addresses))
        programs.make("xclip", f'case "$*" in {lists} *uri-list*) /bin/cat {programs.folder}/list;; esac')

    copied("# files", picture.as_uri(), notes.as_uri())
    assert read_clipboard_image(programs.environ(**X11), "linux").data == PNG
    assert "has more than" in problem(programs.environ(**X11), most_bytes=100)
    for other in (notes.as_uri(), "https://example.com/a.png", ""):
        copied(other)
        assert "no PNG, JPEG, GIF or WebP image" in problem(programs.environ(**X11))
    copied(f"{picture.as_uri()}x")
    assert "The file on the clipboard cannot be read: No such file" in problem(programs.environ(**X11))


def test_a_program_that_fails_is_named_with_its_words_made_safe(programs):
    programs.make("xclip", 'printf "Error: Can\'t open display: \\033[31m:7\\n" >&2; exit 1')
    said = problem(programs.environ(**X11))
    assert "The clipboard cannot be read: xclip says: Error: Can't open display:" in said
    assert "\x1b" not in said


def test_a_program_that_hangs_is_ended_with_all_it_started(programs):
    pid_file = programs.folder / "pid"
    programs.make("xclip", f"/bin/sleep 60 & echo $! > {pid_file}; wait")
    assert "xclip did not answer within" in problem(programs.environ(**X11), timeout_s=1.0)
    pid = int(pid_file.read_text())
    deadline = time.monotonic() + 10
    while _alive(pid):
        assert time.monotonic() < deadline, os.kill(pid, signal.SIGKILL)


def _alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_what_never_ends_to_write_is_cut_off_at_the_bound(programs):
    programs.make("xclip", 'case "$*" in *TARGETS*) echo image/png;; *) while :; do echo 0123456789; done;; esac')
    assert "has more than" in problem(programs.environ(**X11), most_bytes=100_000)


def test_the_keys_of_the_environment_stay_here_and_so_does_the_folder(programs):
    written = programs.folder / "env"
    programs.make("xclip", f"{{ export; pwd; }} > {written}; exit 1")
    problem(programs.environ(**X11, ANTHROPIC_API_KEY="sk-secret", XAUTHORITY="/x"))
    text = written.read_text()
    assert "sk-secret" not in text
    assert "XAUTHORITY" in text
    assert text.rstrip().endswith("\n/")


def test_programs_of_the_current_folder_are_not_run(programs, monkeypatch):
    programs.gives("xclip", png=PNG)
    monkeypatch.chdir(programs.folder)
    assert "install xclip" in problem({"PATH": f".{os.pathsep}", **X11})
    assert programs.calls == []


def test_pngpaste_then_osascript_on_macos(programs):
    held = programs.folder / "image.png"
    held.write_bytes(PNG)
    programs.make("osascript", f"printf '«data PNGf{PNG.hex().upper()}»\\n'")
    assert read_clipboard_image(programs.environ(), "darwin").data == PNG
    programs.make("pngpaste", f"/bin/cat {held}")
    assert read_clipboard_image(programs.environ(), "darwin").data == PNG
    assert programs.calls[-1] == "pngpaste -"
    programs.make("pngpaste", "echo 'pngpaste: No image data found on the clipboard' >&2; exit 1")
    programs.make("osascript", "echo 'execution error: Can’t make data into type. (-1700)' >&2; exit 1")
    assert "no PNG" in problem(programs.environ(), "darwin")
    programs.make("osascript", f"printf '«data PNGf{(PNG * 3).hex()}»\\n'")
    assert "has more than" in problem(programs.environ(), "darwin", most_bytes=2000)


def test_powershell_under_wsl_after_a_display_that_has_none(programs):
    programs.holds("image.txt", base64.b64encode(PNG).decode())
    programs.make("powershell.exe", f"/bin/cat {programs.folder}/image.txt; echo")
    programs.gives("wl-paste", bmp=b"BM")
    environ = programs.environ(WSL_DISTRO_NAME="Debian", **WAYLAND)
    assert read_clipboard_image(environ, "linux").data == PNG
    assert programs.calls[-1].startswith("powershell.exe -NoProfile -NonInteractive -Sta -Command ")
    programs.make("powershell.exe", "exit 3")
    assert "no PNG" in problem(programs.environ(WSL_DISTRO_NAME="Debian"))
    programs.make("powershell.exe", "echo '%%%'")
    assert "no PNG" in problem(programs.environ(WSL_INTEROP="/run/x"))


@pytest.mark.parametrize(
    ("environ", "platform", "words"),
    [
        ({"SSH_CONNECTION": "1 2 3 4"}, "linux", "runs over SSH"),
        ({"SSH_CONNECTION": "1 2 3 4"}, "darwin", "runs over SSH"),
        (X11, "linux", "install xclip."),
        (WAYLAND, "linux", "install wl-paste (package wl-clipboard)."),
        ({**X11, **WAYLAND}, "linux", "wl-paste (package wl-clipboard) or xclip"),
        ({}, "linux", "neither WAYLAND_DISPLAY nor DISPLAY is set"),
        ({}, "darwin", "neither pngpaste nor osascript"),
        ({"WSL_DISTRO_NAME": "Debian"}, "linux", "powershell.exe is not on the PATH"),
    ],
)
def test_what_is_missing_is_said_and_what_to_do_instead(programs, environ, platform, words):
    said = problem(programs.environ(**environ), platform)
    assert words in said
    assert "(@file)" in said


def test_over_ssh_a_forwarded_display_is_asked_and_the_far_machine_is_not(programs):
    programs.make("osascript", "exit 1")
    assert "runs over SSH" in problem(programs.environ(SSH_TTY="/dev/pts/1"), "darwin")
    assert programs.calls == []
    programs.gives("xclip", png=PNG)
    environ = programs.environ(SSH_CONNECTION="1 2 3 4", DISPLAY="localhost:10.0")
    assert read_clipboard_image(environ, "linux").data == PNG
