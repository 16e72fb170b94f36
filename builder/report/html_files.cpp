#include "builder/report/html_files.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "builder/report/report_words.hpp"

namespace kiln {

namespace embedded {
std::string_view report_script();  // report.js
}

namespace {

using Json = nlohmann::ordered_json;

// A page of 20 layers stays below 2 MB.
constexpr std::size_t kMostLayers = 20;
constexpr std::size_t kMostFiles = 1000;
constexpr std::uint64_t kLeastShare = 100;  // of the stored bytes: one part in so many

Json files_of(const FileIndex& index) {
  std::vector<const FileEntry*> files;
  for (const FileEntry& entry : index.entries()) {
    if (entry.type == EntryType::file && entry.size > 0) files.push_back(&entry);
  }
  std::stable_sort(files.begin(), files.end(),
                   [](const FileEntry* a, const FileEntry* b) { return a->size > b->size; });
  Json shown = Json::array();
  std::uint64_t rest = 0;
  for (std::size_t i = 0; i < files.size(); ++i) {
    if (i < kMostFiles) {
      shown.push_back({printable(files[i]->path), files[i]->size});
    } else {
      rest += files[i]->size;
    }
  }
  return {{"files", std::move(shown)},
          {"more", files.size() > kMostFiles ? files.size() - kMostFiles : 0},
          {"more_bytes", rest}};
}

// JSON that ends no <script> wherever it stands.
std::string inside_script(const Json& json) {
  std::string result;
  for (const char c : json.dump(-1, ' ', false, Json::error_handler_t::replace)) {
    if (c == '<') {
      result += "\\u003c";
    } else {
      result += c;
    }
  }
  return result;
}

}  // namespace

std::string html_files(const ReportDocument& document, const FindFileIndex& index_of) {
  Json layers = Json::array();
  for (std::size_t i = 0; i < document.layers.size() && layers.size() < kMostLayers; ++i) {
    const ReportLayer& layer = *document.layers[i].layer;
    if (layer.bytes < document.layer_bytes / kLeastShare || !index_of) break;
    const auto index = index_of(layer.diff_id);
    if (!index) continue;
    Json entry = files_of(*index);
    if (entry.at("files").empty()) continue;
    entry["number"] = i;
    entry["name"] = shortened(shown_place(layer.file, layer.line) + "  " + shown_layer(layer.text), 120);
    layers.push_back(std::move(entry));
  }
  if (layers.empty()) return "";
  return "<div id=\"files\" hidden>\n<h2>Files of a layer</h2>\n<p>Unpacked bytes. A folder opens where it is "
         "clicked.</p>\n"
         "<p><label>Layer <select id=\"files-layer\"></select></label> <label>Filter <input id=\"files-filter\" "
         "type=\"search\" placeholder=\"part of a path\"></label></p>\n<p id=\"files-path\"></p>\n"
         "<div id=\"files-map\"></div>\n<div class=\"scroll\"><table id=\"files-table\"></table></div>\n</div>\n"
         "<script type=\"application/json\" id=\"files-data\">" +
         inside_script(layers) + "</script>\n<script>\n" + std::string(embedded::report_script()) + "</script>\n";
}

}  // namespace kiln
