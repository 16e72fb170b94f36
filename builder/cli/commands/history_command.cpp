#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "builder/cli/commands/commands.hpp"
#include "builder/cli/images/found_image.hpp"
#include "builder/cli/output/print_json.hpp"
#include "builder/cli/output/print_table.hpp"

namespace kiln::cli {

namespace {

struct HistoryWords : ImageWords {
  bool json = false;
};

int run_history(const HistoryWords& words, const CancelToken& cancel) {
  const FoundImage image = find_image(words, cancel);
  if (!image.config) throw Error(Category::network, fmt::format("'{}' is no image and has no history", image.name));
  nlohmann::json list = nlohmann::json::array();
  TextTable table({TextTable::Align::left, TextTable::Align::right, TextTable::Align::left, TextTable::Align::left}, 3);
  table.add({{"CREATED", TextStyle::bold},
             {"SIZE", TextStyle::bold},
             {"LAYER", TextStyle::bold},
             {"CREATED BY", TextStyle::bold}});
  std::size_t next_layer = 0;
  for (const oci::HistoryEntry& entry : image.config->history) {
    const oci::Descriptor* layer = nullptr;
    if (!entry.empty_layer && next_layer < image.parsed.layers.size()) layer = &image.parsed.layers[next_layer++];
    nlohmann::json item = {{"created", entry.created}, {"created_by", entry.created_by}, {"comment", entry.comment}};
    item["digest"] = layer ? nlohmann::json(layer->digest.str()) : nlohmann::json();
    item["bytes"] = layer ? layer->size : 0;
    list.push_back(std::move(item));
    table.add({{printable(entry.created.substr(0, 19))},
               {layer ? human_bytes(layer->size) : "-"},
               {layer ? layer->digest.short_hex() : "-"},
               {printable(entry.created_by)}});
  }
  if (words.json) {
    print_json(list);
  } else {
    print_table(table);
  }
  return 0;
}

}  // namespace

void add_history_command(Arguments& root) {
  const auto words = std::make_shared<HistoryWords>();
  root.command("history", "Show which instructions made an image, oldest first.")
      .required_positional("REF", words->reference, "the image")
      .option("--platform", words->platform, "of this platform's image, where the name refers to several")
      .flag("--json", words->json, "as JSON")
      .flag("--local", words->local, "of the store")
      .handler([words](const CancelToken& cancel) { return run_history(*words, cancel); });
}

}  // namespace kiln::cli
