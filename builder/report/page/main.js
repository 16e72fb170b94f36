// Puts the parts of the page to work. Without DecompressionStream, or without scripts, the tables that are in the page
// anyway stay.
(() => {
  // A part that the page begins without, and the link to it.
  const show = (id) => {
    document.getElementById(id).hidden = false;
    const link = document.querySelector(`.parts a[href="#${id}"]`);
    if (link) link.parentElement.hidden = false;
  };

  const begin = async () => {
    if (typeof DecompressionStream === 'undefined') return;
    const data = await page.read();
    const tree = new page.Tree(data);
    if (data.layers.length > 0) {
      document.getElementById('explorer').hidden = false;
      document.getElementById('explorer-static').hidden = true;
      page.explorer = new page.Explorer(tree);
    }
    if (data.images.length > 1) {
      show('sharing');
      page.matrix = new page.Matrix(tree);
    }
    if (data.steps.text.length > 0) {
      show('build');
      page.timeline = new page.Timeline(tree);
    }
    if (page.showVersions(tree)) show('versions');
    document.documentElement.dataset.ready = 'yes';
  };
  begin();
})();
