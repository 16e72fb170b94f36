#include "builder/report/report_document.hpp"

#include <doctest/doctest.h>

#include "sample_report.hpp"

using namespace kiln;

TEST_CASE("profiles with the same layers are one group, and each distinct layer is there once with who has it") {
  const BuildReport report = test::sample_report();
  const ReportDocument document(report);
  REQUIRE(document.groups.size() == 3);
  CHECK(document.groups[2].members.size() == 2);
  CHECK(document.groups[2].image().profile == "mainpc");
  CHECK(document.groups[2].bytes ==
        std::map<LayerUse, std::uint64_t>{{LayerUse::images, 63000000}, {LayerUse::profiles, 31405400}});
  REQUIRE(document.layers.size() == 4);
  CHECK(document.layers[0].layer->bytes == 39000000);
  CHECK(document.layers[0].use == LayerUse::images);
  CHECK(document.layers[0].images.size() == 4);
  CHECK(document.layers[1].use == LayerUse::profiles);
  CHECK(document.layer_bytes == report.fleet.stored_bytes);
}

TEST_CASE("a layer of one image alone is its own, and groups differ where layers do") {
  BuildReport report = test::sample_report();
  report.images[3].layers.pop_back();
  report.images[3].layers.push_back(test::layer("other", 7, "", 0, ""));
  const ReportDocument document(report);
  CHECK(document.groups.size() == 4);
  CHECK(document.layers.back().use == LayerUse::image);
  CHECK(document.layers.back().images == std::vector<std::string>{"memory-fusion-hub pc2"});
}

TEST_CASE("steps are counted by outcome and by where hits came from, and misses stand in the order of the run") {
  BuildReport report = test::sample_report();
  report.steps.back().outcome = StepOutcome::failed;
  const ReportDocument document(report);
  CHECK(document.steps.hits + document.steps.built + document.steps.failed == report.steps.size());
  CHECK(document.steps.built == 1);
  CHECK(document.steps.failed == 1);
  std::size_t by_source = 0;
  for (const auto& [source, count] : document.steps.hits_by_source) by_source += count;
  CHECK(by_source == document.steps.hits);
  REQUIRE(document.steps.misses.size() == 2);
  CHECK(document.steps.misses[0]->key == "k3");
  CHECK(document.steps.misses[1] == &report.steps.back());
}

TEST_CASE("what was fetched is summed by the step that needed it") {
  BuildReport report;
  report.fetched = {{"local", FetchedKind::layer, "RUN a", "sha256:1", 10},
                    {"local", FetchedKind::file_index, "RUN a", "sha256:2", 1},
                    {"local", FetchedKind::layer, "push", "sha256:3", 5}};
  const ReportDocument document(report);
  REQUIRE(document.fetched.size() == 2);
  CHECK(document.fetched[0].step == "RUN a");
  CHECK(document.fetched[0].layers == 1);
  CHECK(document.fetched[0].others == 1);
  CHECK(document.fetched[0].bytes == 11);
  CHECK(document.fetched_bytes == 16);
}

TEST_CASE("a name with a baseline is there once, and an empty report has nothing but figures") {
  const BuildReport report = test::sample_report();
  CHECK(ReportDocument(report).with_baseline == std::vector<const ReportImage*>{&report.images[2]});
  const BuildReport empty;
  const ReportDocument nothing(empty);
  CHECK(nothing.layers.empty());
  CHECK(nothing.reductions.empty());
  CHECK_FALSE(nothing.was_searched_for_waste);
  CHECK_FALSE(nothing.figures.empty());
}
