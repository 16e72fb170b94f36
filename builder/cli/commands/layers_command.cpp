#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "builder/cli/commands/commands.hpp"
#include "builder/cli/commands/layers_compare.hpp"
#include "builder/cli/images/image_contents.hpp"
#include "builder/cli/output/print_json.hpp"
#include "builder/cli/output/print_table.hpp"
#include "builder/cli/output/print_text.hpp"
#include "builder/packages/package_json.hpp"
#include "builder/packages/shared_packages.hpp"

namespace kiln::cli {

namespace {

using nlohmann::json;

struct LayersWords {
  std::vector<std::string> references;
  OpenWords open;
  bool compare = false;
  bool json = false;
};

struct LookedInto {
  std::string name;
  oci::Digest manifest;
};

// A row of the table: a package, or what of a layer is no package's.
struct ContentRow {
  std::string name;
  std::string version;
  std::string type;
  std::size_t layer = 0;
  std::uint64_t compressed_bytes = 0;
  std::uint64_t unpacked_bytes = 0;
};

std::vector<ContentRow> rows_of(const ImagePackages& packages) {
  std::vector<ContentRow> rows;
  for (const Package& package : packages.packages) {
    rows.push_back({package.stated.name, package.stated.version, std::string(to_string(package.stated.ecosystem)),
                    package.layer, package.compressed_bytes, package.unpacked_bytes});
  }
  for (std::size_t i = 0; i < packages.layers.size(); ++i) {
    const PackageLayer& layer = packages.layers[i];
    rows.push_back({"(no package)", "-", "-", i, layer.other_compressed_bytes(), layer.other_unpacked_bytes()});
  }
  std::stable_sort(rows.begin(), rows.end(), [](const ContentRow& a, const ContentRow& b) {
    return std::pair(b.compressed_bytes, b.unpacked_bytes) < std::pair(a.compressed_bytes, a.unpacked_bytes);
  });
  return rows;
}

std::string layer_text(std::size_t number, const PackageLayer& layer) {
  return fmt::format("{} {}", number,
                     printable(layer.created_by.empty() ? layer.diff_id.short_hex() : layer.created_by));
}

void print_contents(const LookedInto& image, const ImagePackages& packages) {
  using Align = TextTable::Align;
  print_text(fmt::format("{}@{}\n", image.name, image.manifest.str()));
  TextTable table({Align::left, Align::left, Align::left, Align::right, Align::right, Align::left}, 5);
  table.add({{"PACKAGE", TextStyle::bold},
             {"VERSION", TextStyle::bold},
             {"TYPE", TextStyle::bold},
             {"COMPRESSED", TextStyle::bold},
             {"UNPACKED", TextStyle::bold},
             {"LAYER", TextStyle::bold}});
  for (const ContentRow& row : rows_of(packages)) {
    table.add({{row.name},
               {row.version},
               {row.type},
               {human_bytes(row.compressed_bytes)},
               {human_bytes(row.unpacked_bytes)},
               {layer_text(row.layer, packages.layers[row.layer])}});
  }
  print_table(table);
}

void print_shared(const SharedContents& shared, std::size_t images) {
  using Align = TextTable::Align;
  std::uint64_t layer_bytes = 0;
  for (const SharedLayer& layer : shared.layers) layer_bytes += layer.layer.blob.size;
  print_text(fmt::format("shared by several of these {} images: {} layers, {}\n", images, shared.layers.size(),
                         human_bytes(layer_bytes)));
  TextTable table({Align::left, Align::left, Align::left, Align::right, Align::right, Align::right}, 0);
  table.add({{"PACKAGE", TextStyle::bold},
             {"VERSION", TextStyle::bold},
             {"TYPE", TextStyle::bold},
             {"IMAGES", TextStyle::bold},
             {"LAYERS", TextStyle::bold},
             {"REPEATED", TextStyle::bold}});
  for (const SharedPackage& package : shared.packages) {
    const StatedPackage& stated = package.package.stated;
    table.add({{stated.name},
               {stated.version},
               {std::string(to_string(stated.ecosystem))},
               {std::to_string(package.images.size())},
               {std::to_string(package.copies)},
               {human_bytes(package.repeated_bytes)}});
  }
  if (!shared.packages.empty()) print_table(table);
}

json shared_json(const SharedContents& shared, const std::vector<LookedInto>& images) {
  const auto names_of = [&](const std::vector<std::size_t>& numbers) {
    json names = json::array();
    for (const std::size_t number : numbers) names.push_back(images[number].name);
    return names;
  };
  json layers = json::array();
  for (const SharedLayer& layer : shared.layers) {
    layers.push_back({{"digest", layer.layer.blob.digest.str()},
                      {"diff_id", layer.layer.diff_id.str()},
                      {"compressed_bytes", layer.layer.blob.size},
                      {"images", names_of(layer.images)}});
  }
  json packages = json::array();
  for (const SharedPackage& package : shared.packages) {
    packages.push_back({{"purl", package.package.purl},
                        {"images", names_of(package.images)},
                        {"layers", package.copies},
                        {"repeated_bytes", package.repeated_bytes}});
  }
  return {{"layers", layers}, {"packages", packages}};
}

int run_layers(const LayersWords& words, const CancelToken& cancel) {
  if (words.references.empty()) throw Error(Category::usage, "'kiln layers' needs an image");
  if (words.compare && words.references.size() != 2) {
    throw Error(Category::usage,
                fmt::format("'kiln layers --compare' needs two images, got {}", words.references.size()));
  }
  RegistrySession session(words.open.progress, words.open.quiet, cancel);
  ThreadPool pool;
  std::vector<LookedInto> images;
  std::vector<ImagePackages> contents;
  std::vector<MergedView> views;
  for (const std::string& reference : words.references) {
    const OpenedImage image = open_image(session, pool, reference, words.open, cancel);
    images.push_back({image.name, image.manifest.digest});
    views.push_back(image.files);
    contents.push_back(read_packages(session, pool, image, cancel));
    // Largest first, in JSON as in the table.
    std::stable_sort(contents.back().packages.begin(), contents.back().packages.end(),
                     [](const Package& a, const Package& b) { return a.compressed_bytes > b.compressed_bytes; });
  }
  session.end_progress();
  for (std::size_t i = 0; i < images.size(); ++i) warn_of_notes(images[i].name, contents[i]);
  if (words.compare) {
    const ComparedImage before{contents[0], views[0]}, after{contents[1], views[1]};
    const LayerComparison comparison = compare_layers(before, after);
    if (words.json) {
      print_json(comparison_json(comparison, before, after));
    } else {
      print_comparison(comparison, before, after);
    }
    return 0;
  }
  const SharedContents shared = shared_contents(contents);
  if (words.json) {
    json list = json::array();
    for (std::size_t i = 0; i < images.size(); ++i) {
      json image = to_json(contents[i]);
      image["name"] = images[i].name;
      image["digest"] = images[i].manifest.str();
      list.push_back(std::move(image));
    }
    print_json(json{{"images", list}, {"shared", shared_json(shared, images)}});
    return 0;
  }
  for (std::size_t i = 0; i < images.size(); ++i) {
    if (i > 0) print_text("\n");
    print_contents(images[i], contents[i]);
  }
  if (images.size() > 1) {
    print_text("\n");
    print_shared(shared, images.size());
  }
  return 0;
}

}  // namespace

void add_layers_command(Arguments& root) {
  const auto words = std::make_shared<LayersWords>();
  Arguments& layers =
      root.command("layers", "Show which packages take the space of images' layers, and what images share.");
  layers.positional("REF", words->references, "images")
      .flag("--compare", words->compare, "of two images: which packages are in other layers, and what differs in them")
      .flag("--json", words->json, "as JSON")
      .handler([words](const CancelToken& cancel) { return run_layers(*words, cancel); });
  add_open_words(layers, words->open);
}

}  // namespace kiln::cli
