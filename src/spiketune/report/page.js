"use strict";
(function () {
  const data = JSON.parse(document.getElementById("data").textContent);
  const byName = new Map(data.columns.map((column) => [column.name, column]));
  const config = {
    responsive: true, displaylogo: false,
    modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"],
  };
  const palette = ["#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9"];
  const drawn = new Map(); // place on the page -> the figure in it

  function element(tag, text, className) {
    const made = document.createElement(tag);
    if (text !== undefined) made.textContent = text;
    if (className) made.className = className;
    return made;
  }

  function escaped(text) { // Plotly reads a small HTML of its own in labels
    return String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
  }

  function number(value) {
    if (value === null) return "";
    if (typeof value !== "number") return String(value);
    const size = Math.abs(value);
    if (Number.isInteger(value) && size <= 1e4) return String(value);
    if (value !== 0 && (size < 1e-3 || size > 1e4)) return value.toExponential(3);
    return value.toFixed(4);
  }

  // Looks: plots take their colours from the style sheet, light or dark.

  function themed(layout) {
    const style = getComputedStyle(document.documentElement);
    const color = (name) => style.getPropertyValue(name).trim();
    const copy = { ...layout, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)" };
    copy.modebar = { bgcolor: "rgba(0,0,0,0)", color: color("--line"), activecolor: color("--soft") };
    copy.font = { ...(layout.font || {}), color: color("--ink") };
    for (const key of Object.keys(copy)) {
      if (/^[xy]axis\d*$/.test(key)) {
        const lines = { gridcolor: color("--grid"), linecolor: color("--line"), tickcolor: color("--line") };
        copy[key] = { ...copy[key], ...lines };
      }
    }
    if (layout.updatemenus) {
      const looks = { bgcolor: color("--card"), bordercolor: color("--line"), font: { color: color("--ink") } };
      copy.updatemenus = layout.updatemenus.map((menu) => ({ ...menu, ...looks }));
    }
    return copy;
  }

  function draw(place, figure) {
    drawn.set(place, figure);
    return Plotly.react(place, figure.data, themed(figure.layout), config);
  }

  function drawWhenSeen() {
    const places = [...document.querySelectorAll(".plot[data-figure]")];
    const show = (place) => {
      const figure = data.figures[place.dataset.figure];
      if (figure && !drawn.has(place)) draw(place, figure);
    };
    for (const place of places) {
      const figure = data.figures[place.dataset.figure];
      if (figure) place.style.minHeight = figure.layout.height + "px";
    }
    const watcher = new IntersectionObserver((entries) => {
      for (const entry of entries) {
        if (entry.isIntersecting) { watcher.unobserve(entry.target); show(entry.target); }
      }
    }, { rootMargin: "600px" });
    places.forEach((place) => watcher.observe(place));
    window.addEventListener("beforeprint", () => places.forEach(show));
    window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      for (const [place, figure] of drawn) draw(place, figure);
    });
  }

  // Explore: any column against any other.

  function hoverText(k) {
    const told = data.columns.filter((c) => c.kind === "objective" || c.kind === "parameter");
    const lines = ["<b>trial " + byName.get("trial").values[k] + "</b> (" + byName.get("state").values[k] + ")"];
    for (const column of told) {
      const value = column.values[k];
      if (value === null) continue;
      const line = escaped(column.label) + ": " + escaped(number(value));
      lines.push(column.kind === "objective" ? "<i>" + line + "</i>" : line);
    }
    return lines.join("<br>");
  }

  function points(rows, x, y, marker, name) {
    const value = (column, k) => column.numeric ? column.values[k] : escaped(column.values[k]);
    return {
      type: "scatter", mode: "markers", name: escaped(name),
      x: rows.map((k) => value(x, k)), y: rows.map((k) => value(y, k)),
      text: rows.map(hoverText), hovertemplate: "%{text}<extra></extra>",
      marker: { size: 8, opacity: 0.85, line: { width: 0.5, color: "white" }, ...marker },
    };
  }

  function colored(rows, x, y, color, clip) {
    if (!color) return [points(rows, x, y, { color: palette[0] }, "trials")];
    const told = rows.filter((k) => color.values[k] !== null);
    const untold = rows.filter((k) => color.values[k] === null);
    const traces = untold.length ? [points(untold, x, y, { color: "#8a8f98" }, "without " + color.label)] : [];
    if (!color.numeric) {
      const kinds = [...new Set(told.map((k) => color.values[k]))].sort();
      kinds.forEach((kind, i) => {
        const members = told.filter((k) => color.values[k] === kind);
        const looks = { color: palette[i % palette.length], symbol: i % 6 };
        traces.push(points(members, x, y, looks, kind + " (" + members.length + ")"));
      });
      return traces;
    }
    const values = told.map((k) => color.values[k]);
    const log = color.log && values.every((v) => v > 0);
    const scale = (v) => (log ? Math.log10(v) : v);
    const low = clip[0] === null || (log && clip[0] <= 0) ? Math.min(...values) : clip[0];
    const high = clip[1] === null || (log && clip[1] <= 0) ? Math.max(...values) : clip[1];
    const bar = { title: { text: escaped(color.label), side: "right" }, thickness: 14, outlinewidth: 0 };
    if (log) {
      bar.tickvals = [0, 0.25, 0.5, 0.75, 1].map((t) => scale(low) + t * (scale(high) - scale(low)));
      bar.ticktext = bar.tickvals.map((t) => Number((10 ** t).toPrecision(2)).toString());
    }
    const looks = { color: values.map(scale), colorscale: "Viridis", cmin: scale(low), cmax: scale(high) };
    const trace = points(told, x, y, { ...looks, showscale: true, colorbar: bar }, color.label);
    trace.showlegend = false;
    traces.push(trace);
    return traces;
  }

  function axis(column, range, log) {
    const made = { title: { text: escaped(column.label), standoff: 12 }, zeroline: false, automargin: true, showline: true, ticks: "outside", ticklen: 4 };
    if (!column.numeric) return { ...made, type: "category", categoryorder: "category ascending" };
    made.type = log ? "log" : "linear";
    const ends = range.map((end) => (end === null || (log && end <= 0) ? null : log ? Math.log10(end) : end));
    if (ends[0] !== null || ends[1] !== null) { made.range = ends; made.autorange = false; }
    if (made.range && ends[0] === null) made.autorange = "min";
    if (made.range && ends[1] === null) made.autorange = "max";
    return made;
  }

  function explore() {
    const place = document.getElementById("explore-plot");
    if (!place) return;
    const form = document.getElementById("explore-form");
    const field = (name) => form.elements.namedItem(name);
    const kinds = ["objective", "parameter", "metric", "constraint", "trial"];
    for (const name of ["x", "y", "color"]) {
      const select = field(name);
      if (name === "color") select.append(new Option("none", ""));
      for (const kind of kinds) {
        const group = element("optgroup");
        group.label = kind === "trial" ? "about the trial" : kind + "s";
        for (const column of data.columns) {
          if (column.kind === kind && column.name !== "failure") group.append(new Option(column.label, column.name));
        }
        if (group.children.length) select.append(group);
      }
      select.value = data.explore[name];
      if (name !== "color") field(name + "-log").checked = byName.get(select.value).log;
      select.addEventListener("change", () => {
        field(name + "-low").value = field(name + "-high").value = "";
        if (name !== "color") field(name + "-log").checked = byName.get(select.value).log;
      });
    }
    const end = (name) => (field(name).value.trim() === "" || !isFinite(Number(field(name).value)) ? null : Number(field(name).value));
    const range = (name) => [end(name + "-low"), end(name + "-high")];
    function update() {
      const x = byName.get(field("x").value);
      const y = byName.get(field("y").value);
      const color = byName.get(field("color").value);
      const rows = x.values.map((_, k) => k).filter((k) => x.values[k] !== null && y.values[k] !== null);
      const layout = {
        height: 520, hovermode: "closest", margin: { l: 70, r: 24, t: 40, b: 56 },
        font: { family: "system-ui, sans-serif", size: 12 }, hoverlabel: { align: "left", font: { size: 11 } },
        legend: { orientation: "h", y: 1.01, yanchor: "bottom", x: 0 },
        showlegend: Boolean(color),
        xaxis: axis(x, range("x"), field("x-log").checked), yaxis: axis(y, range("y"), field("y-log").checked),
      };
      if (!rows.length) {
        layout.annotations = [{ text: "No trial has both.", showarrow: false, xref: "paper", yref: "paper", x: 0.5, y: 0.5, font: { size: 15 } }];
      }
      draw(place, { data: colored(rows, x, y, color, range("color")), layout });
    }
    form.addEventListener("change", update);
    form.addEventListener("submit", (event) => { event.preventDefault(); update(); });
    update();
  }

  // The table of all trials.

  function trialTable() {
    const table = document.getElementById("trials");
    if (!table) return;
    const first = 100;
    const shown = data.columns.filter((column) => column.table);
    const n = byName.get("trial").values.length;
    const words = Array.from({ length: n }, (_, k) => shown.map((c) => number(c.values[k])).join("\n").toLowerCase());
    const filter = document.getElementById("trials-filter");
    const count = document.getElementById("trials-count");
    const more = document.getElementById("trials-more");
    let by = shown[0], rising = true, all = false;

    const head = table.createTHead().insertRow();
    const body = table.createTBody();
    for (const column of shown) {
      const cell = element("th", undefined, column.numeric ? "number" : "");
      const button = element("button", column.label);
      cell.title = column.name;
      cell.append(button);
      head.append(cell);
      button.addEventListener("click", () => {
        rising = by === column ? !rising : true;
        by = column;
        update();
      });
    }
    function before(a, b) {
      const [u, v] = [by.values[a], by.values[b]];
      if (u === null || v === null) return (u === null) - (v === null) || a - b;
      const order = by.numeric ? u - v : String(u).localeCompare(String(v));
      return (rising ? order : -order) || a - b;
    }
    function update() {
      const wanted = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
      const rows = words.map((_, k) => k).filter((k) => wanted.every((word) => words[k].includes(word))).sort(before);
      const visible = all ? rows : rows.slice(0, first);
      const lines = visible.map((k) => {
        const line = element("tr");
        for (const column of shown) {
          const kind = column.numeric ? "number" : column.name === "failure" ? "long" : "";
          const cell = element("td", number(column.values[k]), kind);
          if (kind === "long") cell.title = cell.textContent;
          line.append(cell);
        }
        return line;
      });
      body.replaceChildren(...lines);
      shown.forEach((column, i) => {
        if (column === by) head.cells[i].setAttribute("aria-sort", rising ? "ascending" : "descending");
        else head.cells[i].removeAttribute("aria-sort");
      });
      count.textContent = visible.length + " of " + n + " trials";
      more.hidden = all || rows.length <= first;
    }
    filter.addEventListener("input", update);
    more.addEventListener("click", () => { all = true; update(); });
    update();
  }

  drawWhenSeen();
  explore();
  trialTable();
})();
