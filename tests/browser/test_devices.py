"""Choosing on which device a system runs, in a real browser, on a page that sees a GPU."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from tests.browser.cards import ASKED, again, card, chosen
from tests.browser.steps import Visit
from tests.serving import Served, serving

pytestmark = pytest.mark.browser

TORCH = """
__version__ = "0"

class version:
    hip = None

class Tensor:
    def __mul__(self, by): return self
    def sum(self): return self
    def item(self): return 32.0

class Properties:
    name = "A stand-in"
    is_integrated = False

class cuda:
    is_available = staticmethod(lambda: True)
    device_count = staticmethod(lambda: 1)
    get_device_properties = staticmethod(lambda index: Properties)
    get_device_capability = staticmethod(lambda index: (9, 0))
    mem_get_info = staticmethod(lambda index: (70_000_000_000, 80_000_000_000))

ones = lambda *size, device: Tensor()
"""
"""As much of PyTorch as is asked for GPUs (``runners.here.machine.describe``). No model is loaded here."""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A few systems, none of them downloaded, on a machine with a GPU."""
    folder = tmp_path_factory.mktemp("devices")
    (folder / "torch").mkdir()
    (folder / "torch" / "__init__.py").write_text(TORCH, encoding="utf-8")
    names = "moonshine,pocketsphinx,whisper,faster-whisper,ctc"
    asked = {**ASKED, "EARSHOT_DISABLED_RUNNERS": ""}
    with serving(folder, "--runners", names, **asked, HF_HOME=str(folder / "hub"), PYTHONPATH=str(folder)) as app:
        yield app


def menu_of(page: Page, name: str) -> Locator:
    """The card's menu, opened once the page knows of the GPU."""
    page.wait_for_function("name => window.earshotShelf.get(name)?.ways.some(({ on }) => on)", arg=name)
    menu = page.locator(f'.es-told[data-system="{name}"]')
    menu.locator("summary").click()
    return menu


def test_one_system_on_the_gpu_and_on_the_cpu_is_two_contenders_and_remembered(visit: Visit) -> None:
    page = visit()
    menu = menu_of(page, "whisper")
    expect(menu.get_by_role("heading")).to_have_text(["Precision", "On the CPU"])
    expect(menu.get_by_label("Automatic (bfloat16, CUDA)")).to_be_checked()
    need = page.evaluate("window.earshotShelf.need")
    menu.get_by_label("Automatic (float32) on the CPU").check()
    expect(card(page, "whisper").first).to_be_checked()
    assert chosen(page) == ["moonshine", "pocketsphinx", "whisper", "whisper+cpu"]
    assert page.evaluate("window.earshotShelf.need") > need  # four bytes a parameter there, two on the GPU
    menu.get_by_label("bfloat16 on the CPU").check()
    page.keyboard.press("Escape")
    expect(menu.locator(".es-told-now")).to_have_text("bfloat16 on CUDA, float32 on CPU, bfloat16 on CPU")
    expect(page.locator("#es-selection [role=status]")).to_contain_text("5 chosen")
    again(page)
    names = ["moonshine", "pocketsphinx", "whisper", "whisper+cpu", "whisper+bfloat16+cpu"]
    assert chosen(page) == names
    menu = menu_of(page, "whisper")
    menu.get_by_label("Automatic (bfloat16, CUDA)").uncheck()
    assert chosen(page) == [name for name in names if name != "whisper"]
    for name in ("Automatic (float32) on the CPU", "bfloat16 on the CPU"):
        menu.get_by_label(name).uncheck()
    assert chosen(page) == names[:3]  # one way is always left: where it goes by itself
    expect(menu.get_by_label("Automatic (bfloat16, CUDA)")).to_be_checked()


def test_what_runs_on_one_device_alone_is_offered_no_other(visit: Visit) -> None:
    page = visit()
    page.wait_for_function("window.earshotShelf.get('whisper').ways.some(({ on }) => on)")
    assert page.evaluate("window.earshotShelf.get('moonshine').ways") == []
    expect(page.locator('.es-told[data-system="moonshine"]')).to_have_count(0)


def test_a_device_is_chosen_with_the_keyboard_alone(visit: Visit) -> None:
    page = visit()
    page.wait_for_function("window.earshotShelf.get('whisper').ways.some(({ on }) => on)")
    card(page, "whisper").first.focus()
    page.keyboard.press("Tab")
    expect(page.locator('.es-told[data-system="whisper"] > summary')).to_be_focused()
    page.keyboard.press("Enter")
    box = page.get_by_label("Automatic (float32) on the CPU")
    for _ in range(5):  # past the four for where it goes by itself
        page.keyboard.press("Tab")
    expect(box).to_be_focused()
    page.keyboard.press("Space")
    expect(box).to_be_checked()
    expect(box).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator('.es-told[data-system="whisper"] > summary')).to_be_focused()
    assert "whisper+cpu" in chosen(page)


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_the_menu_is_on_the_screen_and_nothing_serious_is_wrong_with_it(visit: Visit, scheme: str, width: int) -> None:
    page = visit(color_scheme=scheme, viewport={"width": width, "height": 844})
    menu = menu_of(page, "whisper")
    last = menu.get_by_label("bfloat16 on the CPU")
    last.check()
    expect(last).to_be_in_viewport(ratio=1)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    found = Axe().run(page).response["violations"]
    serious = [
        (each["id"], [node["html"][:160] for node in each["nodes"][:3]])
        for each in found
        if each["impact"] in ("serious", "critical")
    ]
    assert not serious
