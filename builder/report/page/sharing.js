// What images share, as a matrix, and the packages that they have in several versions.
(() => {
  const kSteps = 5;  // of colour

  // How much of the row's image the column's has too, in a square of squares.
  class Matrix {
    constructor(tree) {
      const key = (image) => [...image.layers].filter((number) => this.users[number] > 1)
        .sort((a, b) => this.users[b] - this.users[a] || a - b).join(' ');
      const compare = (a, b) => a.localeCompare(b, 'en', { numeric: true });
      this.tree = tree;
      this.users = tree.holders.map((holders) => holders.length);
      // Images that are built on the same stand beside each other.
      this.images = [...tree.images].sort((a, b) => compare(key(a), key(b)) || compare(a.name, b.name));
      this.owner = document.getElementById('matrix');
      this.text = document.getElementById('matrix-text');
      this.row = 0;
      this.column = Math.min(1, this.images.length - 1);
      this.draw();
      this.owner.addEventListener('keydown', (event) => this.key(event));
      this.owner.addEventListener('pointermove', (event) => this.point(event));
      this.owner.addEventListener('click', (event) => this.point(event));
      this.owner.addEventListener('focus', () => this.tell());
    }

    shared(a, b) {
      let bytes = 0;
      for (const number of a.layers) if (b.layers.has(number)) bytes += this.tree.layers[number].bytes;
      return bytes;
    }

    whole(image) { return this.shared(image, image); }

    draw() {
      const count = this.images.length;
      this.size = count <= 12 ? 30 : count <= 30 ? 20 : 12;
      const font = Math.min(12, this.size - 1);
      const longest = Math.max(...this.images.map((image) => image.name.length));
      this.left = Math.min(220, 10 + Math.min(longest, 34) * font * 0.62);
      const width = this.left + count * this.size + 2;
      const height = count * this.size + 2;
      const cells = [];
      this.images.forEach((row, y) => {
        const all = this.whole(row);
        const name = row.name.length > 34 ? `${row.name.slice(0, 32)} \u2026` : row.name;
        cells.push(page.element('text', { class: 'axis', x: this.left - 8, y: (y + 0.5) * this.size + font * 0.36,
          'font-size': font, 'text-anchor': 'end' }, name));
        this.images.forEach((column, x) => {
          const share = all > 0 ? this.shared(row, column) / all : 0;
          cells.push(page.element('rect', { class: y === x ? 'share-self' : `share-${Math.ceil(share * kSteps - 1e-9)}`,
            x: this.left + x * this.size, y: y * this.size, width: this.size - 1, height: this.size - 1 }));
        });
      });
      this.mark = page.element('rect', { class: 'mark', width: this.size + 1, height: this.size + 1, visibility: 'hidden' });
      this.owner.replaceChildren(...cells, this.mark);
      this.owner.setAttribute('viewBox', `0 0 ${width} ${height}`);
      this.owner.setAttribute('width', width);
      this.owner.setAttribute('height', height);
    }

    tell() {
      const row = this.images[this.row];
      const column = this.images[this.column];
      const bytes = this.shared(row, column);
      this.mark.setAttribute('x', this.left + this.column * this.size - 1);
      this.mark.setAttribute('y', this.row * this.size - 1);
      this.mark.setAttribute('visibility', 'visible');
      this.text.textContent = row === column ? `${row.name}: ${page.human(bytes)}`
        : `${column.name} has ${page.human(bytes)} of the ${page.human(this.whole(row))} of ${row.name}, ${page.percent(bytes, this.whole(row))}`;
    }

    point(event) {
      const box = this.owner.getBoundingClientRect();
      const column = Math.floor((event.clientX - box.left - this.left) / this.size);
      const row = Math.floor((event.clientY - box.top) / this.size);
      if (column < 0 || row < 0 || column >= this.images.length || row >= this.images.length) return;
      Object.assign(this, { row, column });
      this.tell();
    }

    key(event) {
      const last = this.images.length - 1;
      if (event.key === 'ArrowLeft') this.column = Math.max(0, this.column - 1);
      else if (event.key === 'ArrowRight') this.column = Math.min(last, this.column + 1);
      else if (event.key === 'ArrowUp') this.row = Math.max(0, this.row - 1);
      else if (event.key === 'ArrowDown') this.row = Math.min(last, this.row + 1);
      else return;
      event.preventDefault();
      this.tell();
    }
  }

  // Packages of one name in several versions, those first whose versions have the most bytes.
  function versionsOf(tree) {
    const { ecosystem, name, version } = tree.data.packages;
    const found = new Map();
    tree.data.files.forEach((files, layer) => {
      if (files === null) return;
      const sums = new Map();
      files.package.forEach((which, i) => sums.set(which, (sums.get(which) || 0) + files.size[i]));
      for (const [which, , bytes] of files.smaller) sums.set(which, (sums.get(which) || 0) + bytes);
      sums.delete(0);
      for (const [which, bytes] of sums) {
        const key = `${ecosystem[which - 1]} ${name[which - 1]}`;
        if (!found.has(key)) found.set(key, { name: name[which - 1], ecosystem: ecosystem[which - 1], bytes: 0, versions: new Map() });
        const entry = found.get(key);
        if (!entry.versions.has(version[which - 1])) entry.versions.set(version[which - 1], { bytes: 0, images: new Set() });
        const one = entry.versions.get(version[which - 1]);
        one.bytes += bytes;
        entry.bytes += bytes;
        tree.holders[layer].forEach((image) => one.images.add(image.name));
      }
    });
    return [...found.values()].filter((entry) => entry.versions.size > 1).sort((a, b) => b.bytes - a.bytes);
  }

  function showVersions(tree) {
    const packages = versionsOf(tree);
    const rows = packages.slice(0, 100).map((entry) => page.element('tr', {},
      page.element('th', { scope: 'row' }, page.element('b', {}, entry.name), page.element('span', { class: 'detail' }, entry.ecosystem),
        page.element('ul', {}, ...[...entry.versions].sort((a, b) => b[1].images.size - a[1].images.size).map(([text, one]) => {
          const names = [...one.images].sort();
          return page.element('li', {}, page.element('button', { type: 'button', class: 'link',
            title: 'Find it among the bytes', onclick: () => page.explorer.find(`${entry.name} ${text}`) }, text),
          ` ${page.human(one.bytes)} in ${names.length > 3 ? `${page.count(names.length, 'image')}: ` : ''}${page.some(names)}`);
        }))),
      page.element('td', { class: 'number' }, page.human(entry.bytes),
        page.element('span', { class: 'detail' }, page.count(entry.versions.size, 'version')))));
    document.getElementById('versions-list').append(...rows);
    return rows.length > 0;
  }

  page.Matrix = Matrix;
  page.versionsOf = versionsOf;
  page.showVersions = showVersions;
})();
