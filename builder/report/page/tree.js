// The tree that the explorer shows: fleet, image, layer, package, folder, file. Children are made when they are asked
// for. A node is {kind, name, detail, tone, bytes, unpacked, files, parent, layer, expand}; bytes are compressed ones,
// below a layer the node's share of it by unpacked bytes.
(() => {
  const kOtherFiles = 'files of no package';

  function node(parent, kind, name, more) {
    return { parent, kind, name, detail: '', tone: kind, bytes: 0, unpacked: 0, files: 0, layer: null, expand: null,
      known: null, ...more };
  }

  // `entries` are [name, size]; `smaller` is [count, bytes] of files without names.
  function folderOf(name) {
    return { name, size: 0, files: 0, folders: new Map(), entries: [], smaller: [0, 0] };
  }

  class Tree {
    constructor(data) {
      this.data = data;
      this.layers = data.layers;
      this.profiles = [...new Set(data.images.flatMap((image) => image.groups.flatMap((group) => group.profiles)))]
        .filter((name) => name !== '').sort();
      this.images = data.images.map((image) => ({ ...image, layers: this.layersOf(image, '') }));
      this.holders = this.layers.map((_, number) =>
        this.images.filter((image) => image.layers.has(number)));
      this.owners = this.holders.map((holders) => Tree.ownerOf(holders));
      this.use('', 'bytes');
    }

    // Of the profiles of an image, or of one.
    layersOf(image, profile) {
      const groups = image.groups.filter((group) => profile === '' || group.profiles.includes(profile) ||
        group.profiles.every((name) => name === ''));
      return new Set(groups.flatMap((group) => group.layers));
    }

    // The image that brings a layer which others have too: the one that all of them are built on.
    static ownerOf(holders) {
      const least = holders.reduce((a, b) => (b.layers.size < a.layers.size ? b : a));
      const isBelow = (other) => [...least.layers].every((number) => other.layers.has(number));
      return holders.every(isBelow) ? least : null;
    }

    // Starts again for a profile ('' for all) and a measure, 'bytes' or 'unpacked'.
    use(profile, measure) {
      this.profile = profile;
      this.measure = measure;
      this.shown = this.images.map((image) => ({ image, layers: this.layersOf(image, profile) }))
        .filter((entry) => entry.layers.size > 0);
      this.root = node(null, 'fleet', this.images.length === 1 ? 'Image' : 'Fleet',
        { expand: (self) => this.fleetChildren(self) });
      const all = new Set(this.shown.flatMap((entry) => [...entry.layers]));
      this.sum(this.root, [...all]);
    }

    value(entry) { return entry[this.measure]; }

    sum(entry, numbers) {
      for (const number of numbers) {
        entry.bytes += this.layers[number].bytes;
        entry.unpacked += this.layers[number].unpacked;
      }
      return entry;
    }

    children(entry) {
      if (entry.known === null && entry.expand !== null) {
        entry.known = entry.expand(entry).sort((a, b) => this.value(b) - this.value(a));
      }
      return entry.known || [];
    }

    fleetChildren(root) {
      const result = [];
      const shared = new Map();
      const visible = new Set(this.shown.flatMap((entry) => [...entry.layers]));
      const own = new Map(this.shown.map((entry) => [entry.image, []]));
      for (const number of visible) {
        const owner = this.owners[number];
        if (owner !== null && own.has(owner)) { own.get(owner).push(number); continue; }
        const holders = this.holders[number];
        const key = holders.map((image) => image.name).join('\n');
        if (!shared.has(key)) shared.set(key, { holders, numbers: [] });
        shared.get(key).numbers.push(number);
      }
      for (const { image, layers } of this.shown) {
        const profiles = image.groups.flatMap((group) => group.profiles).filter((name) => name !== '');
        const users = Math.max(0, ...own.get(image).map((number) => this.holders[number].length)) - 1;
        const detail = [profiles.join(', '), users > 0 ? `base of ${page.count(users, 'image')}` : '',
          page.count(layers.size, 'layer')].filter((part) => part !== '').join(' \u00b7 ');
        result.push(this.sum(node(root, 'image', image.name, {
          detail, tone: users > 0 ? 'shared' : 'own', image,
          expand: (self) => [...layers].map((number) => this.layerNode(self, number)),
          own: own.get(image) }), own.get(image)));
      }
      for (const { holders, numbers } of shared.values()) {
        const names = holders.map((image) => image.name);
        result.push(this.sum(node(root, 'group', `Shared by ${page.some(names)}`, {
          detail: names.length > 3 ? page.count(names.length, 'image') : page.count(numbers.length, 'layer'),
          tone: 'shared', own: numbers,
          expand: (self) => numbers.map((number) => this.layerNode(self, number)) }), numbers));
      }
      return result;
    }

    layerNode(parent, number) {
      const layer = this.layers[number];
      const holders = this.holders[number];
      const who = holders.length > 1 ? `in ${page.count(holders.length, 'image')}`
        : layer.use === 'profiles' ? 'in several profiles' : '';
      const files = this.data.files[number];
      return node(parent, 'layer', layer.text || layer.place || layer.digest, {
        detail: [layer.place, who].filter((part) => part !== '').join(' \u00b7 '), tone: layer.use,
        bytes: layer.bytes, unpacked: layer.unpacked, layer: number,
        expand: files === null ? null : (self) => this.layerChildren(self, number) });
    }

    // Decodes a layer's columns once: a folder of no package and one for each package.
    contentsOf(number) {
      const { files } = this.data;
      if (files[number].contents) return files[number].contents;
      const { depth, rest, size, package: owner, smaller } = files[number];
      const rests = size.length > 0 ? rest.split('\n') : [];
      const tops = new Map();
      const top = (which) => {
        if (!tops.has(which)) tops.set(which, folderOf(''));
        return tops.get(which);
      };
      let folders = [];
      rests.forEach((text, i) => {
        const parts = text.split('/');
        folders = folders.slice(0, depth[i]).concat(parts.slice(0, -1));
        let at = top(owner[i]);
        at.size += size[i];
        ++at.files;
        for (const name of folders) {
          if (!at.folders.has(name)) at.folders.set(name, folderOf(name));
          at = at.folders.get(name);
          at.size += size[i];
          ++at.files;
        }
        at.entries.push([parts[parts.length - 1], size[i]]);
      });
      for (const [which, count, bytes] of smaller) {
        const at = top(which);
        at.size += bytes;
        at.files += count;
        at.smaller = [count, bytes];
      }
      files[number].contents = tops;
      return tops;
    }

    below(parent, kind, name, size, count, more) {
      const layer = this.layers[parent.layer];
      const share = layer.unpacked > 0 ? layer.bytes / layer.unpacked : 0;
      return node(parent, kind, name, { layer: parent.layer, unpacked: size, bytes: size * share, files: count, ...more });
    }

    layerChildren(parent, number) {
      const tops = this.contentsOf(number);
      if (tops.size === 1 && tops.has(0)) return this.folderChildren(parent, tops.get(0), '');
      const { ecosystem, name, version } = this.data.packages;
      return [...tops].map(([which, top]) => this.below(parent, 'package',
        which === 0 ? kOtherFiles : `${name[which - 1]} ${version[which - 1]}`, top.size, top.files,
        { tone: which === 0 ? 'none' : ecosystem[which - 1], detail: which === 0 ? '' : ecosystem[which - 1],
          expand: (self) => this.folderChildren(self, top, '') }));
    }

    folderChildren(parent, folder, path) {
      const result = [];
      for (let inner of folder.folders.values()) {
        // A folder that holds one folder and nothing else is one step with it.
        let name = inner.name;
        while (inner.entries.length === 0 && inner.folders.size === 1 && inner.smaller[0] === 0) {
          [inner] = inner.folders.values();
          name += `/${inner.name}`;
        }
        const full = `${path}/${name}`;
        const at = inner;
        result.push(this.below(parent, 'folder', `${name}/`, at.size, at.files,
          { path: `${full}/`, expand: (self) => this.folderChildren(self, at, full) }));
      }
      for (const [name, size] of folder.entries) {
        result.push(this.below(parent, 'file', name, size, 1, { path: `${path}/${name}` }));
      }
      if (folder.smaller[0] > 0) {
        result.push(this.below(parent, 'file', page.count(folder.smaller[0], 'smaller file'), folder.smaller[1],
          folder.smaller[0], { path: '' }));
      }
      return result;
    }

    // What is at or below a node and holds the words, from the top: where a node does, what is in it is not looked at.
    // Images that share a layer have it once. `least` leaves out what is smaller.
    search(start, words, least) {
      const found = [];
      const seen = new Set();
      const wanted = words.toLowerCase().split(/\s+/).filter((word) => word !== '');
      const visit = (entry) => {
        if (entry.kind === 'layer') {
          if (seen.has(entry.layer)) return;
          seen.add(entry.layer);
        }
        const text = `${entry.path || entry.name} ${entry.kind === 'layer' ? entry.detail : ''}`.toLowerCase();
        const isMatch = entry !== start && entry.kind !== 'fleet' && wanted.every((word) => text.includes(word));
        // A search for text goes below what is large enough; one for size alone stops at files.
        if (isMatch && (wanted.length > 0 || entry.kind === 'file')) {
          if (this.value(entry) >= least) found.push(entry);
          return;
        }
        if (entry.kind !== 'fleet' && entry.kind !== 'image' && this.value(entry) < least) return;
        for (const child of this.children(entry)) visit(child);
      };
      visit(start);
      return found.sort((a, b) => this.value(b) - this.value(a));
    }
  }

  page.Tree = Tree;
})();
