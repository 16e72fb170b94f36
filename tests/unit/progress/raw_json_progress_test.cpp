#include "builder/cli/progress/raw_json_progress.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "display_test.hpp"

using namespace kiln;
using namespace kiln::test;
using nlohmann::json;

namespace {

std::vector<json> events_of(const Stage& stage) {
  std::vector<json> events;
  const std::string text = stage.written();
  for (const std::string_view line : split(text, '\n')) {
    if (!line.empty()) events.push_back(json::parse(line));
  }
  return events;
}

}  // namespace

TEST_CASE("each event is a JSON object on a line of its own") {
  Stage stage;
  {
    RawJsonProgress progress(stage.fd.get(), stage.clock());
    stage.now += 0.25;
    StepView view = step(3, "hub", "builder", 2, 4, "RUN x");
    view.file = "Dockerfile";
    view.line = 7;
    progress.step_started(view);
    progress.step_output(3, "a\x1b[31m\nb");
    progress.step_progress(3, "layer", 5, 9);
    StepResult result = built(1.5, "no record");
    result.key = "ab12";
    result.bytes = 77;
    result.diff_id = oci::sha256_of("tar");
    progress.step_finished(3, result);
    progress.step_started(step(4, "", "", 0, 0, "push"));
    progress.task_finished(4, "refused");
    progress.warn("w");
    progress.step_started(step(5, "", "", 0, 0, "export"));
  }
  const std::vector<json> events = events_of(stage);
  REQUIRE(events.size() == 9);
  CHECK(events[0] == json{{"time", 0.25},
                          {"event", "started"},
                          {"step", 3},
                          {"target", "hub"},
                          {"stage", "builder"},
                          {"index", 2},
                          {"count", 4},
                          {"text", "RUN x"},
                          {"file", "Dockerfile"},
                          {"line", 7}});
  CHECK(events[1] == json{{"time", 0.25}, {"event", "output"}, {"step", 3}, {"text", "a\x1b[31m\nb"}});
  CHECK(events[2] ==
        json{{"time", 0.25}, {"event", "progress"}, {"step", 3}, {"what", "layer"}, {"done", 5}, {"total", 9}});
  CHECK(events[3] == json{{"time", 0.25},
                          {"event", "finished"},
                          {"step", 3},
                          {"outcome", "built"},
                          {"key", "ab12"},
                          {"from", ""},
                          {"reason", "no record"},
                          {"seconds", 1.5},
                          {"bytes", 77},
                          {"diff_id", oci::sha256_of("tar").str()}});
  CHECK(events[5] == json{{"time", 0.25}, {"event", "task"}, {"step", 4}, {"error", "refused"}});
  CHECK(events[6] == json{{"time", 0.25}, {"event", "log"}, {"level", "warning"}, {"message", "w"}});
  CHECK(events[8] == json{{"time", 0.25}, {"event", "canceled"}, {"step", 5}});
  CHECK(stage.written().find('\x1b') == std::string::npos);
}

TEST_CASE("a character that was cut in two is put together again") {
  Stage stage;
  {
    RawJsonProgress progress(stage.fd.get(), stage.clock());
    progress.step_started(step(1, "", "", 0, 0, "RUN x"));
    progress.step_output(1, "\xe7\xaa");
    progress.step_output(1, "\x91 and \xff and \xe7");
    progress.step_finished(1, hit("local"));
  }
  const std::vector<json> events = events_of(stage);
  REQUIRE(events.size() == 4);
  CHECK(events[1]["text"] == "\u7a91 and \uFFFD and ");
  CHECK(events[2]["text"] == "\uFFFD");
  CHECK(events[3]["outcome"] == "hit");
}

TEST_CASE("no line of JSON is an order for a CI service or a terminal") {
  Stage stage;
  {
    RawJsonProgress progress(stage.fd.get(), stage.clock());
    progress.step_started(step(1, "", "", 0, 0, "RUN ##[group]x ##vso[y]"));
    progress.step_output(1, "##[error]\xc2\x9b\xe2\x80\xae");
  }
  for (const char* order : {"##[", "##vso[", "\xc2\x9b", "\xe2\x80\xae"})
    CHECK(stage.written().find(order) == std::string::npos);
  const std::vector<json> events = events_of(stage);
  CHECK(events[0]["text"] == "RUN ##[group]x ##vso[y]");
  CHECK(events[1]["text"] == "##[error]\u009b\u202e");
}
