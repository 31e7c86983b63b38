"""Steps: the side bar, and what can be done with a whole conversation."""

from __future__ import annotations

from playwright.async_api import expect

from tests.browser.walk.walking import Walk


async def finds_renames_exports_and_deletes(walk: Walk) -> None:
    """The history's own list: each conversation by its first words, until it has a name."""
    page, rows = walk.page, walk.page.locator("#conversations a")
    await walk.new_chat()
    await walk.settings(temperature=0, max_tokens=40)
    await walk.ask("Hello")
    await expect(page.locator("#title")).to_have_text("Hello")
    name = {"ja": "はじめての会話", "en": "A first conversation"}[walk.kind.language]
    await walk.button("rename").click()
    await page.locator("#dialog-field").fill(name)
    await walk.look("rename")
    await page.locator("#dialog-field").press("Enter")
    await expect(page.locator("#title")).to_have_text(name)
    for link, part in {"exportMarkdown": f"# {name}", "exportJson": f'"title":"{name}"'}.items():
        async with page.expect_download() as started:
            await page.get_by_role("link", name=walk.words[link]).click()
        file = walk.scenery.gateway.data.parent / link
        await (await started.value).save_as(file)
        assert part in file.read_text(encoding="utf-8")
    await walk.open_sidebar()
    await expect(rows.first.locator(".title")).to_have_text(name)
    await walk.look("side-bar")
    kept = await rows.count()
    await page.get_by_label(walk.words["search"]).fill({"ja": "推論基盤", "en": "replica"}[walk.kind.language])
    await expect(rows.first.locator("mark").first).to_be_visible()
    await walk.look("search")
    await page.get_by_label(walk.words["search"]).fill("")
    await expect(rows).to_have_count(kept)
    await page.keyboard.press("Escape")
    await page.locator("#remove").click()
    await walk.look("delete")
    await page.locator("#dialog-yes").click()
    await expect(walk.turns).to_have_count(0)
    await expect(rows).to_have_count(kept - 1)
    await walk.open_sidebar()
    await rows.first.click()
    await expect(walk.turns.first.locator(".answer")).not_to_be_empty()
    await walk.open_sidebar()
    await walk.button("newChat").click()
    await expect(walk.turns).to_have_count(0)
