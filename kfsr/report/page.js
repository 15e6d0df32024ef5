"use strict";
(() => {
  const grid = document.getElementById("grid");
  const cards = [...grid.children];
  const large = document.getElementById("large");
  const filter = document.getElementById("filter");
  let zoom = 1;
  let kind = "";
  let current = -1;
  const widgets = new Set();

  const made = (tag, name, parent) => {
    const one = document.createElement(tag);
    one.className = name;
    parent.append(one);
    return one;
  };

  const shotOf = (card) => {
    const block = document.getElementById("s" + card.dataset.shot);
    return block && JSON.parse(block.textContent);
  };

  // One picture before and after, with the line between them.
  function compare(box, shot, height) {
    box.replaceChildren();
    const frame = made("div", "frame", box);
    const view = made("div", "view", frame);
    const stage = made("div", "stage", view);
    const result = Math.min(1, shot.layers.length - 1);
    const others = shot.layers.map((_, n) => n).filter((n) => n !== result);
    const image = (n) => {
      const one = made("img", "", stage);
      one.alt = shot.layers[n][0];
      one.draggable = false;
      one.src = shot.layers[n][1];
      return one;
    };
    image(result);
    const over = others.length ? image(others[0]) : null;
    const widget = { box, place: 0.5, draw, size };
    let left = null;
    let range = null;
    if (over) {
      left = made("span", "tag left", frame);
      left.textContent = shot.layers[others[0]][0];
      made("span", "tag right", frame).textContent = shot.layers[result][0];
      const handle = made("div", "handle", frame);
      range = made("input", "", box);
      Object.assign(range, { type: "range", min: 0, max: 1000, value: 500 });
      range.setAttribute("aria-label", "Line between " + shot.layers[others[0]][0] + " and result");
      range.addEventListener("input", () => { widget.place = range.value / 1000; draw(); });
      const follow = (event) => {
        const edge = frame.getBoundingClientRect();
        widget.place = Math.min(1, Math.max(0, (event.clientX - edge.left) / edge.width));
        range.value = Math.round(1000 * widget.place);
        draw();
      };
      handle.addEventListener("pointerdown", (event) => {
        handle.setPointerCapture(event.pointerId);
        event.preventDefault();
      });
      handle.addEventListener("pointermove", (event) => { if (handle.hasPointerCapture(event.pointerId)) follow(event); });
      view.addEventListener("scroll", draw);
      widget.handle = handle;
    }
    if (others.length > 1) {
      const tools = made("div", "tools", box);
      others.forEach((n, at) => {
        const button = made("button", "", tools);
        button.type = "button";
        button.textContent = "against " + shot.layers[n][0];
        button.setAttribute("aria-pressed", at === 0);
        button.addEventListener("click", () => {
          over.src = shot.layers[n][1];
          over.alt = left.textContent = shot.layers[n][0];
          for (const one of tools.children) one.setAttribute("aria-pressed", one === button);
        });
      });
    }
    view.addEventListener("pointerdown", (event) => {
      if (event.pointerType !== "mouse" || event.button) return;
      const start = [event.clientX + view.scrollLeft, event.clientY + view.scrollTop];
      const move = (e) => view.scrollTo(start[0] - e.clientX, start[1] - e.clientY);
      addEventListener("pointermove", move);
      addEventListener("pointerup", () => removeEventListener("pointermove", move), { once: true });
    });

    function draw() {
      if (!over) return;
      const edge = frame.getBoundingClientRect();
      const inner = stage.getBoundingClientRect();
      const x = edge.left + widget.place * edge.width - inner.left;
      over.style.clipPath = "inset(0 " + Math.max(0, inner.width - x) + "px 0 0)";
      widget.handle.style.left = 100 * widget.place + "%";
    }

    function size() {
      const width = shot.w * zoom;
      const tall = shot.h * zoom;
      const middle = view.scrollWidth ? [(view.scrollLeft + view.clientWidth / 2) / view.scrollWidth,
        (view.scrollTop + view.clientHeight / 2) / view.scrollHeight] : [0.5, 0.5];
      stage.style.width = width + "px";
      stage.style.height = tall + "px";
      stage.classList.toggle("twice", zoom > 1);
      frame.style.width = Math.min(width, box.clientWidth) + "px";
      frame.classList.toggle("narrow", Math.min(width, box.clientWidth) < 150);
      if (range) range.style.width = "max(160px, " + frame.style.width + ")";
      frame.style.height = Math.min(tall, height()) + "px";
      view.scrollTo(middle[0] * view.scrollWidth - view.clientWidth / 2,
        middle[1] * view.scrollHeight - view.clientHeight / 2);
      draw();
    }

    widgets.add(widget);
    size();
    return widget;
  }

  function fill(card) {
    const shot = shotOf(card);
    if (!shot) return false;
    compare(card.querySelector(".compare"), shot, () => 300);
    const thumb = card.querySelector(".thumb");
    if (thumb) {
      const span = thumb.firstElementChild;
      const image = made("img", "", span);
      image.alt = "";
      image.src = shot.thumb;
      if (shot.place) {
        const [x, y, w, h] = shot.place.map((share) => 100 * share + "%");
        Object.assign(made("i", "", span).style, { left: x, top: y, width: w, height: h });
      }
    }
    return true;
  }

  // Pictures are made when they come near the screen, and as soon as their data has been read.
  const waiting = new Set();
  const near = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      near.unobserve(target);
      if (!fill(target)) waiting.add(target);
    }
  }, { rootMargin: "500px" });
  for (const card of cards) if (card.dataset.shot) near.observe(card);
  addEventListener("DOMContentLoaded", () => { for (const card of waiting) fill(card); waiting.clear(); });
  addEventListener("resize", () => { for (const one of widgets) if (one.box.isConnected) one.size(); });

  function setZoom(factor) {
    zoom = factor;
    for (const button of document.querySelectorAll("[data-zoom]"))
      button.setAttribute("aria-pressed", Number(button.dataset.zoom) === zoom);
    for (const one of widgets) one.size();
  }

  const shown = () => cards.filter((card) => !card.hidden);

  function sift() {
    const text = filter.value.toLowerCase();
    for (const card of cards)
      card.hidden = (kind && card.dataset.kind !== kind) || !card.querySelector("h2").textContent.toLowerCase().includes(text);
    document.getElementById("none").hidden = shown().length > 0;
  }

  function enlarge(card) {
    current = cards.indexOf(card);
    document.getElementById("large-name").textContent = card.querySelector("h2").textContent;
    large.className = card.className.replace("card", "");
    large.querySelector(".verdict").textContent = card.querySelector(".verdict").textContent;
    large.querySelector(".about").replaceChildren(...[...card.querySelector(".about").children].map((one) => one.cloneNode(true)));
    if (!large.open) large.showModal();
    const box = large.querySelector(".compare");
    for (const one of widgets) if (one.box === box) widgets.delete(one);
    box.replaceChildren();
    const shot = card.dataset.shot && shotOf(card);
    if (shot) compare(box, shot, () => Math.max(200, innerHeight - 300));
    (box.querySelector("input") || document.getElementById("close")).focus();
  }

  function step(by) {
    const all = shown();
    const next = all[all.indexOf(cards[current]) + by];
    if (next) enlarge(next);
  }

  document.addEventListener("click", ({ target }) => {
    const button = target.closest("button");
    if (!button) return;
    if (button.dataset.zoom) setZoom(Number(button.dataset.zoom));
    if (button.dataset.enlarge !== undefined) enlarge(button.closest(".card"));
    if (button.id === "close") large.close();
    if (button.id === "before") step(-1);
    if (button.id === "after") step(1);
    if (button.dataset.show !== undefined) {
      kind = button.dataset.show;
      for (const one of document.querySelectorAll("[data-show]")) one.setAttribute("aria-pressed", one === button);
      sift();
    }
  });
  filter.addEventListener("input", sift);
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target === filter) return;
    if (event.key === "1" || event.key === "2") setZoom(Number(event.key));
    if (event.key === "/" && !large.open) { filter.focus(); event.preventDefault(); }
    if (large.open && (event.key === "PageUp" || event.key === "PageDown")) {
      step(event.key === "PageUp" ? -1 : 1);
      event.preventDefault();
    }
  });
})();
