"use strict";
(() => {
  const net = JSON.parse(document.getElementById("net").textContent);
  const $ = id => document.getElementById(id);
  const SVG = "http://www.w3.org/2000/svg";
  const make = (tag, attributes, text) => {
    const node = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes || {})) node.setAttribute(name, value);
    if (text !== undefined) node.textContent = text;
    return node;
  };
  const html = (tag, className, text) => {
    const node = document.createElement(tag);
    if (className) node.className = className;
    if (text !== undefined) node.textContent = text;
    return node;
  };
  const short = (text, most) => text.length > most ? text.slice(0, most - 1) + "…" : text;
  const shape = sizes => sizes === null ? "?" : sizes.map(n => n === null ? "?" : n).join("×") || "scalar";
  const count = n => n === null ? "?" : n >= 1e9 ? (n / 1e9).toFixed(2) + " G" : n >= 1e6 ? (n / 1e6).toFixed(2) + " M"
    : n >= 1e4 ? (n / 1e3).toFixed(1) + " k" : String(n);
  const bytes = n => n === null ? "?" : n >= 1 << 20 ? (n / (1 << 20)).toFixed(1) + " MiB"
    : n >= 1 << 10 ? (n / (1 << 10)).toFixed(1) + " KiB" : n + " B";
  const agree = list => list.every(n => n === list[0]) ? list.slice(0, 1) : list;
  const window_ = sizes => agree(sizes.map(n => n === null ? "all" : +n.toFixed(3))).join("×");

  // The graph: layers that work in place hang on the layer whose blob they change.
  const boxes = new Map();
  net.layers.forEach((layer, i) => { if (layer.host === i) boxes.set(i, [i]); else boxes.get(layer.host).push(i); });
  const pen = document.createElement("canvas").getContext("2d");
  const width = (text, font) => { pen.font = font; return pen.measureText(text).width; };
  const BOLD = "600 12px system-ui, sans-serif", THIN = "10.5px system-ui, sans-serif";
  const line = layer => layer.detail ? layer.type + " " + layer.detail : layer.type;
  const graph = new dagre.graphlib.Graph({ multigraph: true });
  graph.setGraph({ rankdir: net.horizontal ? "LR" : "TB", nodesep: 22, ranksep: net.horizontal ? 70 : 34, edgesep: 10,
    ranker: net.layers.length > 400 ? "longest-path" : "network-simplex" });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const [i, members] of boxes) {
    const layer = net.layers[i];
    const widest = Math.max(width(short(layer.name, 44), BOLD), width(short(line(layer), 60), THIN),
      ...members.slice(1).map(k => width(short(net.layers[k].name + " · " + line(net.layers[k]), 60), THIN)));
    graph.setNode(i, { width: Math.max(90, widest + 22), height: 38 + 19 * (members.length - 1) });
  }
  net.edges.forEach(([from, to], k) => graph.setEdge(from, to, {}, String(k)));
  dagre.layout(graph);

  const view = $("view"), svg = view.ownerSVGElement, marks = new Map();
  const sameTops = layer => new Set(layer.tops.map(t => shape(t.shape))).size === 1;
  graph.edges().forEach(edge => {
    const points = graph.edge(edge).points;
    let path = `M${points[0].x},${points[0].y}`;
    for (let k = 1; k < points.length - 1; k++) {
      const p = points[k], q = points[k + 1];
      path += `Q${p.x},${p.y} ${k === points.length - 2 ? q.x : (p.x + q.x) / 2},${k === points.length - 2 ? q.y : (p.y + q.y) / 2}`;
    }
    if (points.length === 2) path += `L${points[1].x},${points[1].y}`;
    view.append(make("path", { class: "edge", d: path, "marker-end": "url(#arrow)" }));
    const [from, , text] = net.edges[+edge.name];
    if (!sameTops(net.layers[from])) {
      const middle = points[Math.floor(points.length / 2)];
      view.append(make("text", { class: "shape", x: middle.x + 4, y: middle.y }, text));
    }
  });
  for (const [i, members] of boxes) {
    const { x, y, width: w, height: h } = graph.node(i), layer = net.layers[i];
    const bottom = y + h / 2, hasNext = graph.outEdges(i).length > 0 || layer.tops.length > 0;
    if (hasNext && layer.tops.length && sameTops(layer)) {
      const place = net.horizontal ? { x: x + w / 2 + 5, y: y - 4 } : { x: x + 5, y: bottom + 13 };
      view.append(make("text", { class: "shape", ...place }, shape(layer.tops[0].shape)));
    }
    members.forEach((k, row) => {
      const one = net.layers[k], top = y - h / 2 + (row ? 38 + 19 * (row - 1) : 0);
      const group = make("g", { class: "node", tabindex: 0, role: "button", "aria-label": `${one.name}, ${one.type}` });
      group.append(make("title", {}, `${one.name} (${one.type})`));
      group.append(make("rect", { x: x - w / 2 + (row ? 5 : 0), y: top, width: w - (row ? 10 : 0), height: row ? 19 : 38,
        fill: one.colour }));
      if (row) group.append(make("text", { class: "small", x, y: top + 13 }, short(`${one.name} · ${line(one)}`, 60)));
      else group.append(make("text", { class: "name", x, y: top + 16 }, short(one.name, 44)),
        make("text", { class: "small", x, y: top + 30 }, short(line(one), 60)));
      group.addEventListener("keydown", e => { if (e.key === "Enter" || e.key === " ") { e.preventDefault(); select(k); } });
      marks.set(k, { group, x, y: top + 10 });
      view.append(group);
      group.dataset.layer = k;
    });
  }

  // Pan and zoom.
  const size = graph.graph();
  let scale = 1, left = 0, top_ = 0;
  const place = () => view.setAttribute("transform", `translate(${left},${top_}) scale(${scale})`);
  const fit = () => {
    const { width: w, height: h } = svg.getBoundingClientRect();
    scale = Math.min(w / (size.width + 40), h / (size.height + 40), 1.5);
    left = (w - size.width * scale) / 2; top_ = (h - size.height * scale) / 2;
    place();
  };
  const begin = () => {
    const { width: w, height: h } = svg.getBoundingClientRect();
    scale = net.horizontal ? Math.min(1, h / (size.height + 60)) : Math.min(1, w / (size.width + 40));
    if (scale < 0.35) scale = 0.8;
    const first = graph.node(0);
    if (net.horizontal) { left = 20; top_ = h / 2 - first.y * scale; } else { left = w / 2 - first.x * scale; top_ = 20; }
    place();
  };
  const zoom = (factor, x, y) => {
    const next = Math.min(4, Math.max(0.02, scale * factor));
    left = x - (x - left) * next / scale; top_ = y - (y - top_) * next / scale; scale = next;
    place();
  };
  const middle = factor => { const b = svg.getBoundingClientRect(); zoom(factor, b.width / 2, b.height / 2); };
  const centre = k => {
    const b = svg.getBoundingClientRect(), mark = marks.get(k);
    scale = Math.max(scale, 0.7); left = b.width / 2 - mark.x * scale; top_ = b.height / 2 - mark.y * scale;
    place();
  };
  svg.addEventListener("wheel", e => {
    e.preventDefault();
    const b = svg.getBoundingClientRect();
    zoom(Math.exp(-e.deltaY * (e.deltaMode ? 0.05 : 0.0016)), e.clientX - b.left, e.clientY - b.top);
  }, { passive: false });
  const fingers = new Map();
  let moved = 0;
  svg.addEventListener("pointerdown", e => { fingers.set(e.pointerId, [e.clientX, e.clientY]); moved = 0; });
  addEventListener("pointermove", e => {
    const old = fingers.get(e.pointerId);
    if (!old) return;
    const others = [...fingers].filter(([id]) => id !== e.pointerId), b = svg.getBoundingClientRect();
    moved += Math.abs(e.clientX - old[0]) + Math.abs(e.clientY - old[1]);
    if (others.length) {
      const [ox, oy] = others[0][1], apart = (x, y) => Math.max(1, Math.hypot(x - ox, y - oy));
      zoom(apart(e.clientX, e.clientY) / apart(old[0], old[1]), (e.clientX + ox) / 2 - b.left, (e.clientY + oy) / 2 - b.top);
    } else { left += e.clientX - old[0]; top_ += e.clientY - old[1]; place(); }
    fingers.set(e.pointerId, [e.clientX, e.clientY]);
  });
  for (const name of ["pointerup", "pointercancel"]) addEventListener(name, e => fingers.delete(e.pointerId));
  svg.addEventListener("click", e => {
    const node = e.target.closest(".node");
    if (node && moved < 6) select(+node.dataset.layer);
  });
  $("in").onclick = () => middle(1.4);
  $("out").onclick = () => middle(1 / 1.4);
  $("fit").onclick = fit;
  addEventListener("keydown", e => {
    if (e.target.tagName === "INPUT") return;
    if (e.key === "+") middle(1.4); else if (e.key === "-") middle(1 / 1.4); else if (e.key === "0") fit();
  });

  // What is said of a layer.
  let selected = -1;
  const terms = (list, rows) => rows.forEach(([term, value]) => {
    if (value) list.append(html("dt", "", term), html("dd", "", value));
  });
  function select(k, show) {
    if (marks.has(selected)) marks.get(selected).group.classList.remove("selected");
    selected = k;
    marks.get(k).group.classList.add("selected");
    document.querySelectorAll("tbody tr").forEach(row => row.classList.toggle("selected", +row.dataset.layer === k));
    const layer = net.layers[k], pane = $("layer"), facts = html("dl");
    pane.replaceChildren(html("h2", "", layer.name), html("p", "kind", layer.type + (layer.host === k ? "" : ", in place")));
    if (layer.error) pane.append(html("p", "wrong", layer.error));
    terms(facts, [
      ...layer.bottoms.map((b, i) => [i ? "" : "bottom", `${b.name}  ${shape(b.shape)}`]),
      ...layer.tops.map((t, i) => [i ? "" : "top", `${t.name}  ${shape(t.shape)}`]),
      ["parameters", layer.parameters === 0 ? "" : layer.parameters === null ? "?" : layer.parameters.toLocaleString("en")],
      ["weights", layer.weights.map(shape).join(", ")],
      ["multiply-accumulates", layer.macs === 0 ? "" : layer.macs === null ? "?" : layer.macs.toLocaleString("en")],
      ["memory of tops", bytes(layer.memory)],
      ...Object.entries(layer.sees).flatMap(([input, sees]) => [
        [`receptive field on ${input}`, window_(sees.receptive_field)], ["stride", window_(sees.stride)], ["offset", window_(sees.offset)]]),
      ["file", layer.source],
    ]);
    pane.append(facts);
    for (const [title, picture] of layer.pictures) {
      const image = html("img");
      image.src = picture; image.alt = title;
      pane.append(html("h3", "", title), image);
    }
    pane.append(html("h3", "", "prototxt"), html("pre", "", layer.text));
    pane.scrollTop = 0;
    if (show) centre(k);
    open_("layer");
  }
  function open_(name) {
    for (const tab of ["layer", "table"]) {
      $(tab).hidden = tab !== name;
      $("tab-" + tab).setAttribute("aria-selected", String(tab === name));
    }
  }
  $("tab-layer").onclick = () => open_("layer");
  $("tab-table").onclick = () => open_("table");

  // The table, and the search in it and in the graph.
  const COLUMNS = [
    ["layer", l => l.name], ["type", l => l.type], ["output", l => l.tops.map(t => shape(t.shape)).join(" ")],
    ["parameters", l => l.parameters, count], ["MACs", l => l.macs, count], ["memory", l => l.memory, bytes],
    ["field", l => { const s = Object.values(l.sees)[0]; return s ? window_(s.receptive_field) : ""; }],
    ["stride", l => { const s = Object.values(l.sees)[0]; return s ? window_(s.stride) : ""; }],
  ];
  const body = document.querySelector("tbody"), rows = net.layers.map((layer, k) => {
    const row = html("tr");
    row.dataset.layer = k;
    COLUMNS.forEach(([name, value, format]) => {
      const v = value(layer), cell = html("td", "", format ? (v ? format(v) : v === null ? "?" : "") : v);
      if (name === "parameters" || name === "MACs" || name === "memory") {
        const total = net.totals[{ parameters: "parameters", MACs: "macs", memory: "memory" }[name]];
        if (v && total) { cell.classList.add("bar"); cell.style.setProperty("--share", (100 * v / total).toFixed(1) + "%"); }
      }
      if (!name.localeCompare("layer")) cell.title = layer.name;
      row.append(cell);
    });
    row.onclick = () => select(k, true);
    return row;
  });
  let order = null, down = false;
  const head = html("tr");
  COLUMNS.forEach(([name, value]) => {
    const cell = html("th"), button = html("button", "", name);
    button.onclick = () => {
      down = order === name ? !down : true; order = name;
      rows.sort((a, b) => {
        const x = value(net.layers[a.dataset.layer]), y = value(net.layers[b.dataset.layer]);
        return (typeof x === "number" || typeof y === "number" ? (x || 0) - (y || 0) : String(x).localeCompare(String(y))) * (down ? -1 : 1);
      });
      body.append(...rows);
    };
    cell.append(button); head.append(cell);
  });
  document.querySelector("thead").append(head);
  body.append(...rows);
  const foot = html("tr");
  [`${net.totals.layers} layers`, "", "", count(net.totals.parameters), count(net.totals.macs), bytes(net.totals.memory), "", ""]
    .forEach(text => foot.append(html("td", "", text)));
  document.querySelector("tfoot").append(foot);
  $("search").oninput = () => {
    const words = $("search").value.toLowerCase();
    const fits = net.layers.map(l => (l.name + " " + l.type + " " + l.tops.map(t => t.name).join(" ")).toLowerCase().includes(words));
    rows.forEach(row => { row.hidden = !fits[row.dataset.layer]; });
    marks.forEach(({ group }, k) => group.classList.toggle("dim", !fits[k]));
    const first = fits.indexOf(true);
    if (words && first >= 0) centre(first);
  };
  open_("table");
  begin();
})();
