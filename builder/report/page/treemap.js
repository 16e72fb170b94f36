// Boxes of an area in proportion to their bytes, as near to squares as can be (Bruls, Huizing and van Wijk, "Squarified
// Treemaps", 2000). Each is a button, placed in percent, so that the map follows the page's width, on paper too.
(() => {
  const kMostBoxes = 160;

  // Divides {x, y, width, height} among weights that descend; calls place(i, area) for each.
  function squarify(weights, area, place) {
    let left = weights.reduce((sum, weight) => sum + weight, 0);
    let { x, y, width, height } = area;
    let first = 0;
    while (first < weights.length && left > 0) {
      const side = Math.min(width, height);
      const scale = (width * height) / left;
      let sum = 0;
      let end = first;
      let worst = Infinity;
      while (end < weights.length) {
        const next = sum + weights[end];
        const depth = (next * scale) / side;
        const largest = (weights[first] * scale) / depth;
        const smallest = (weights[end] * scale) / depth;
        const shape = Math.max(largest / depth, depth / largest, smallest / depth, depth / smallest);
        if (end > first && shape > worst) break;
        worst = shape;
        sum = next;
        ++end;
      }
      const depth = (sum * scale) / side || 0;
      let along = 0;
      for (let i = first; i < end; ++i) {
        const length = sum > 0 ? (side * weights[i]) / sum : 0;
        place(i, width >= height ? { x, y: y + along, width: depth, height: length }
          : { x: x + along, y, width: length, height: depth });
        along += length;
      }
      if (width >= height) { x += depth; width -= depth; } else { y += depth; height -= depth; }
      left -= sum;
      first = end;
    }
  }

  // Draws `nodes`, the most bytes first, into an element; `open` is called with the one that is chosen.
  class Treemap {
    constructor(owner, { open, up, value, childrenOf }) {
      Object.assign(this, { owner, open, up, value, childrenOf });
      this.cells = [];
      owner.addEventListener('keydown', (event) => this.key(event));
      owner.addEventListener('focusin', (event) => this.focus(this.cells.findIndex((cell) => cell.box === event.target)));
    }

    draw(nodes, label) {
      this.owner.textContent = '';
      this.owner.setAttribute('aria-label', label);
      this.cells = [];
      const width = this.owner.clientWidth || 800;
      const height = this.owner.clientHeight || 420;
      const shown = nodes.filter((entry) => this.value(entry) > 0).slice(0, kMostBoxes);
      squarify(shown.map(this.value), { x: 0, y: 0, width, height }, (i, area) => {
        if (area.width < 2 || area.height < 2) return;
        this.cells.push(this.cell(shown[i], area, width, height));
      });
      this.owner.append(...this.cells.map((cell) => cell.box));
      if (this.cells.length > 0) this.cells[0].box.tabIndex = 0;
    }

    cell(entry, area, width, height) {
      const size = page.human(this.value(entry));
      const box = page.element('button', {
        type: 'button', class: `cell tone-${entry.tone}${entry.expand === null ? ' leaf' : ''}`, tabindex: -1,
        title: [entry.path || entry.name, size, entry.detail].filter((text) => text !== '').join('\n'),
        'aria-label': `${entry.path || entry.name}, ${size}${entry.detail ? `, ${entry.detail}` : ''}`,
        onclick: () => this.open(entry) });
      Treemap.place(box, area, width, height);
      const hasText = area.width >= 46 && area.height >= 22;
      const hasHead = hasText && area.width >= 90 && area.height >= 74;
      if (hasHead) this.inside(box, entry, area);
      if (hasText) {
        box.append(page.element('span', { class: 'name' }, entry.name));
        if (area.height >= 40) box.append(page.element('span', { class: 'size' }, size));
      }
      return { box, entry, x: area.x + area.width / 2, y: area.y + area.height / 2 };
    }

    // What the box holds, faintly, below its name.
    inside(box, entry, area) {
      if (entry.kind === 'folder' || entry.kind === 'file' || entry.kind === 'package') return;
      const parts = this.childrenOf(entry).map(this.value).filter((value) => value > 0).slice(0, 60);
      if (parts.length < 2) return;
      const head = 42;
      const room = { x: 0, y: 0, width: area.width - 12, height: area.height - head - 6 };
      const frame = page.element('span', { class: 'inside', 'aria-hidden': 'true' });
      squarify(parts, room, (i, part) => {
        if (part.width < 3 || part.height < 3) return;
        const made = page.element('span');
        Treemap.place(made, part, room.width, room.height);
        frame.append(made);
      });
      box.append(frame);
    }

    static place(box, area, width, height) {
      box.style.left = `${(100 * area.x) / width}%`;
      box.style.top = `${(100 * area.y) / height}%`;
      box.style.width = `${(100 * area.width) / width}%`;
      box.style.height = `${(100 * area.height) / height}%`;
    }

    focus(number) {
      if (number < 0) return;
      this.cells.forEach((cell, i) => { cell.box.tabIndex = i === number ? 0 : -1; });
    }

    // Arrows go to the nearest box that way; Home and End to the largest and smallest; Backspace and Escape up.
    key(event) {
      const at = this.cells.find((cell) => cell.box === document.activeElement);
      if (!at || event.altKey || event.ctrlKey || event.metaKey) return;
      const directions = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
      let next = null;
      if (event.key in directions) {
        const [dx, dy] = directions[event.key];
        let best = Infinity;
        for (const cell of this.cells) {
          const along = (cell.x - at.x) * dx + (cell.y - at.y) * dy;
          const aside = Math.abs((cell.x - at.x) * dy) + Math.abs((cell.y - at.y) * dx);
          if (along > 1 && along + 2 * aside < best) { best = along + 2 * aside; next = cell; }
        }
      } else if (event.key === 'Home') [next] = this.cells;
      else if (event.key === 'End') next = this.cells[this.cells.length - 1];
      else if (event.key === 'Backspace' || event.key === 'Escape') this.up();
      else return;
      event.preventDefault();
      if (next) next.box.focus();
    }
  }

  page.squarify = squarify;
  page.Treemap = Treemap;
})();
