// Open pages stay fresh, and a keyboard does what buttons do. Everything works without this file too.
(() => {
  "use strict";

  const rows = () => [...document.querySelectorAll("[data-row]")];
  let kept = null;
  let before = 0;
  let later = 0;

  // --- what changed: fetch the page's own live part again ------------------------------------------------
  if (document.querySelector("[data-live]") && "EventSource" in window) {
    const stream = new EventSource("/live");
    // The first change at once, a flood of them twice a second.
    let last = 0;
    let soon = 0;
    stream.addEventListener("changed", () => {
      clearTimeout(soon);
      soon = setTimeout(
        () => {
          last = Date.now();
          document.body.dispatchEvent(new Event("hub:changed"));
        },
        Math.min(500, Math.max(0, last + 500 - Date.now())),
      );
    });
    window.addEventListener("pagehide", () => stream.close());
  }

  document.body.addEventListener("htmx:beforeSwap", (event) => {
    // Signed out or refused meanwhile: leave what is shown, the next click tells.
    if (event.detail.xhr.status !== 200 || event.detail.xhr.responseURL.includes("/sign-in")) {
      event.detail.shouldSwap = false;
    }
    // Somebody types, or has a menu open: come again a little later.
    const part = event.detail.target;
    if (part.querySelector("details[open], input:focus, select:focus, textarea:focus")) {
      event.detail.shouldSwap = false;
      clearTimeout(later);
      later = setTimeout(() => document.body.dispatchEvent(new Event("hub:changed")), 2000);
      return;
    }
    before = rows().length;
    kept = document.activeElement && document.activeElement.dataset ? document.activeElement.dataset.key : null;
  });
  document.body.addEventListener("htmx:afterSwap", () => {
    if (kept) document.querySelector(`[data-key="${CSS.escape(kept)}"]`)?.focus();
    const news = document.getElementById("news");
    if (news && rows().length > before) news.textContent = news.dataset.says;
  });

  // --- ready texts: into the field where the cursor stands, instead of loading the page anew -------------
  document.addEventListener("submit", (event) => {
    const select = event.target.querySelector("select[data-fills]");
    const text = select && select.selectedOptions[0] && select.selectedOptions[0].dataset.text;
    const field = text && document.getElementById(select.dataset.fills);
    if (!field) return;
    event.preventDefault();
    field.setRangeText(text, field.selectionStart, field.selectionEnd, "end");
    field.focus();
  });

  // --- keyboard ------------------------------------------------------------------------------------------
  const move = (step) => {
    const all = rows();
    if (!all.length) return;
    const at = all.findIndex((row) => row.contains(document.activeElement));
    const next = all[Math.min(all.length - 1, Math.max(0, at + step))];
    next.querySelector("a")?.focus();
    next.scrollIntoView({ block: "nearest" });
  };
  const press = (verb) => {
    const row = rows().find((one) => one.contains(document.activeElement));
    const button = (row || document).querySelector(`[data-verb="${verb}"]`);
    if (!button) return;
    if (button.tagName === "SUMMARY") {
      button.parentElement.open = true;
      button.parentElement.querySelector("input:not([type=hidden]),select,button")?.focus();
    } else button.click();
  };
  const named = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
  if (named && named.tagName === "DETAILS") named.open = true;
  const keys = {
    j: () => move(1),
    k: () => move(-1),
    a: () => press("accept"),
    c: () => press("claim"),
    s: () => press("snooze"),
    d: () => press("complete"),
    n: () => (location.href = "/requests/new"),
    "?": () => document.getElementById("keys")?.showModal(),
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (event.target.closest("input, textarea, select, dialog[open]")) return;
    const act = Object.hasOwn(keys, event.key) && keys[event.key];
    if (act) {
      event.preventDefault();
      act();
    }
  });
  // --- the menu of the telephone: away with Escape, or with a touch beside it ------------------------------
  const menu = document.querySelector(".pages-menu");
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !menu || !menu.open) return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });
  document.addEventListener("click", (event) => {
    if (menu && menu.open && !menu.contains(event.target)) menu.open = false;
  });
  document.querySelectorAll("[data-copies]").forEach((button) =>
    button.addEventListener("click", async () => {
      const field = document.getElementById(button.dataset.copies);
      field.select();
      try {
        await navigator.clipboard.writeText(field.value);
      } catch {
        document.execCommand("copy"); // without HTTPS browsers have no clipboard of the newer kind
      }
      button.textContent = button.dataset.says;
    }),
  );
  document.querySelectorAll("[data-shows]").forEach((button) =>
    button.addEventListener("click", () => document.getElementById(button.dataset.shows)?.showModal()),
  );
})();
