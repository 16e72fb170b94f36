// The explorer: the treemap, the way to where it is, a list of the same for reading, a search and filters.
(() => {
  const kMostRows = 40;

  class Explorer {
    constructor(tree) {
      this.tree = tree;
      this.at = tree.root;
      this.rows = kMostRows;
      const get = (id) => document.getElementById(id);
      this.path = get('explorer-path');
      this.status = get('explorer-status');
      this.list = get('explorer-list');
      this.words = get('explorer-search');
      this.profile = get('explorer-profile');
      this.least = get('explorer-least');
      this.measure = get('explorer-measure');
      this.map = new page.Treemap(get('explorer-map'), {
        open: (entry) => this.open(entry, true), up: () => this.up(), value: (entry) => tree.value(entry),
        childrenOf: (entry) => tree.children(entry) });
      for (const name of tree.profiles) this.profile.append(page.element('option', { value: name }, name));
      this.profile.closest('label').hidden = tree.profiles.length < 2;
      let waiting = 0;
      this.words.addEventListener('input', () => {
        clearTimeout(waiting);
        waiting = setTimeout(() => this.show(), 120);
      });
      this.least.addEventListener('change', () => this.show());
      for (const select of [this.profile, this.measure]) {
        select.addEventListener('change', () => this.restart());
      }
      let width = 0;
      new ResizeObserver(() => {
        if (this.map.owner.clientWidth === width) return;
        width = this.map.owner.clientWidth;
        this.draw();
      }).observe(this.map.owner);
      this.show();
    }

    // After a change of profile or measure: to the same place, as far as it is there.
    restart() {
      const names = [];
      for (let entry = this.at; entry.parent !== null; entry = entry.parent) names.unshift(entry.name);
      this.tree.use(this.profile.value, this.measure.value);
      this.at = this.tree.root;
      for (const name of names) {
        const next = this.tree.children(this.at).find((entry) => entry.name === name && entry.expand !== null);
        if (!next) break;
        this.at = next;
      }
      this.show();
    }

    open(entry, byMap) {
      if (entry.expand === null) return;
      this.at = entry;
      this.words.value = '';
      this.least.value = '0';
      this.rows = kMostRows;
      this.show();
      const first = byMap ? this.map.cells[0] && this.map.cells[0].box : this.list.querySelector('button');
      if (first) first.focus();
    }

    // From another part of the page: all that has these words.
    find(words) {
      this.at = this.tree.root;
      this.words.value = words;
      this.least.value = '0';
      this.show();
      document.getElementById('bytes').scrollIntoView();
      this.words.focus({ preventScroll: true });
    }

    up() {
      if (this.at.parent === null) return;
      const from = this.at;
      this.open(this.at.parent, true);
      const cell = this.map.cells.find(({ entry }) => entry.name === from.name);
      if (cell) cell.box.focus();
    }

    show() {
      const words = this.words.value.trim();
      const least = Number(this.least.value);
      this.isSearch = words !== '' || least > 0;
      this.nodes = this.isSearch ? this.tree.search(this.at, words, least) : this.tree.children(this.at);
      this.showPath();
      this.showList();
      this.draw();
    }

    draw() { this.map.draw(this.nodes, `${this.at.name}: ${page.count(this.nodes.length, 'box', 'boxes')} by size`); }

    showPath() {
      const way = [];
      for (let entry = this.at; entry !== null; entry = entry.parent) way.unshift(entry);
      this.path.textContent = '';
      way.forEach((entry, i) => {
        const isLast = i === way.length - 1;
        const name = entry.name.length > 60 ? `${entry.name.slice(0, 58)} \u2026` : entry.name;
        this.path.append(page.element('li', {}, isLast
          ? page.element('span', { 'aria-current': 'location', title: entry.name }, name)
          : page.element('button', { type: 'button', title: entry.name, onclick: () => this.open(entry, false) }, name)));
      });
      const all = this.isSearch || this.at.kind === 'image' ? this.nodes.reduce((sum, entry) => sum + this.tree.value(entry), 0) : this.tree.value(this.at);
      const own = this.at.kind === 'image' && !this.isSearch ? this.tree.value(this.at) : null;
      const what = own !== null ? `${page.human(own)} of it brought by ${this.at.name}` : this.isSearch ? page.count(this.nodes.length, 'match', 'matches')
        : [this.at.detail, this.at.files > 0 ? page.count(this.at.files, 'file') : ''].filter((text) => text !== '').join(' \u00b7 ');
      this.status.textContent = [page.human(all), what].filter((text) => text !== '').join(' \u00b7 ');
    }

    showList() {
      this.list.textContent = '';
      const whole = this.nodes.reduce((sum, entry) => sum + this.tree.value(entry), 0);
      const most = this.nodes.length > 0 ? this.tree.value(this.nodes[0]) : 0;
      for (const entry of this.nodes.slice(0, this.rows)) {
        const value = this.tree.value(entry);
        const name = this.isSearch && entry.path ? entry.path : entry.name;
        const place = this.isSearch && entry.layer !== null && entry.kind !== 'layer'
          ? this.tree.layers[entry.layer].place || this.tree.layers[entry.layer].text : entry.detail;
        const bar = page.element('span', { class: `share tone-${entry.tone}`, 'aria-hidden': 'true' });
        bar.style.width = `${most > 0 ? Math.max(0.5, (100 * value) / most) : 0}%`;
        this.list.append(page.element('tr', {},
          page.element('th', { scope: 'row' }, entry.expand === null ? page.element('span', { class: 'entry' }, name)
            : page.element('button', { type: 'button', class: 'entry', onclick: () => this.open(entry, false) }, name),
          place === '' ? '' : page.element('span', { class: 'detail' }, place),
          page.element('span', { class: 'track', 'aria-hidden': 'true' }, bar)),
          page.element('td', { class: 'number' }, page.human(value),
            page.element('span', { class: 'detail' }, page.percent(value, whole)))));
      }
      if (this.nodes.length === 0) {
        this.list.append(page.element('tr', {}, page.element('td', { colspan: 2 }, this.isSearch ? 'Nothing matches.' : 'Nothing is known of what is in it.')));
      } else if (this.nodes.length > this.rows) {
        this.list.append(page.element('tr', {}, page.element('td', { colspan: 2 }, page.element('button', {
          type: 'button', class: 'more', onclick: () => { this.rows += 200; this.showList(); } },
        page.count(this.nodes.length - this.rows, 'more', 'more')))));
      }
    }
  }

  page.Explorer = Explorer;
})();
