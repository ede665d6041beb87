// Shows what became of a choice as soon as it is known. Without this script the page is loaded again instead.
"use strict";
(() => {
  const sections = document.getElementById("sections");
  const language = document.documentElement.lang;
  const longest = 30000; // ms between attempts when the site does not answer
  let running = null;

  // The mark of what this window has seen lies in the page from now on: loading it anew begins anew.
  history.replaceState(null, "", location.pathname.replace(/^\/settings\/.*/, "/settings") + location.hash);

  // A form in which something was begun is left alone.
  function begun(form) {
    return "kept" in form.dataset || form.contains(document.activeElement) ||
      [...form.elements].some((e) => e.value !== e.defaultValue && "defaultValue" in e || e.checked !== e.defaultChecked);
  }

  function show(html) {
    const news = new DOMParser().parseFromString(html, "text/html").getElementById("sections");
    for (const part of news.querySelectorAll("[data-part]")) {
      const shown = document.getElementById(part.id);
      const same = part.innerHTML === shown.innerHTML;
      if (!same && !(shown instanceof HTMLFormElement && begun(shown))) shown.replaceChildren(...part.childNodes);
    }
    sections.dataset.state = news.dataset.state;
  }

  async function ask(signal) {
    const query = new URLSearchParams({ language, seen: sections.dataset.seen, after: sections.dataset.state });
    const answer = await fetch("/settings/wait?" + query, { signal, cache: "no-store" });
    if (answer.status === 200) show(await answer.text());
    return answer.status;
  }

  async function run(signal) {
    for (let pause = 1000; !signal.aborted; ) {
      const began = Date.now();
      let status = 0;
      try { status = await ask(signal); } catch { /* no answer: try again after a pause */ }
      if (signal.aborted) return;
      if (status === 403) { // logged out, or somebody else is logged in: this page is over, with all that was typed in it
        location.replace("/settings"); // a reload might send a form again, or fill in what was typed
        return;
      }
      const answered = status === 200 || status === 204 && Date.now() - began > 1000;
      pause = answered ? 1000 : Math.min(2 * pause, longest);
      if (!answered) await new Promise((done) => setTimeout(done, pause));
    }
  }

  // A hidden window does not wait: browsers give one site only a few connections.
  function follow() {
    if (running) running.abort();
    running = null;
    if (document.hidden) return;
    running = new AbortController();
    run(running.signal);
  }

  document.addEventListener("visibilitychange", follow);
  addEventListener("pagehide", () => running && running.abort());
  addEventListener("pageshow", (e) => e.persisted && follow());
  follow();
})();
