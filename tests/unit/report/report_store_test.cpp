#include "builder/report/report_store.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <fstream>
#include <iterator>
#include <thread>

#include "base/atomic_file.hpp"
#include "base/temp_dir.hpp"
#include "builder/report/report_json.hpp"
#include "sample_report.hpp"
#include "tests/support/check_error.hpp"

using namespace kiln;

TEST_CASE("the last report can be loaded, and only the newest are kept") {
  const TempDir home;
  const ReportStore store(home.path() / "reports", home.path() / "locks/reports", 3);
  CHECK_FALSE(store.latest());
  for (int i = 1; i <= 12; ++i) {
    BuildReport report = test::sample_report();
    report.seconds = i;
    store.save(report);
  }
  const std::vector<fs::path> files = store.list();
  REQUIRE(files.size() == 3);
  CHECK(files[0].filename() == "0000000010.json");
  CHECK(files[2].filename() == "0000000012.json");
  REQUIRE(store.latest());
  CHECK(store.latest()->seconds == 12);
  CHECK(std::distance(fs::directory_iterator(home.path() / "reports"), fs::directory_iterator{}) == 3);
}

TEST_CASE("files that are no reports are neither listed nor removed") {
  const TempDir home;
  const ReportStore store(home.path() / "reports", home.path() / "locks/reports", 1);
  write_file_atomically(home.path() / "reports/notes.json", "{}");
  write_file_atomically(home.path() / "reports/9.txt", "");
  write_file_atomically(home.path() / "reports/18446744073709551615.json", "{}");
  store.save(BuildReport{});
  store.save(BuildReport{});
  CHECK(store.list().size() == 1);
  CHECK(fs::exists(home.path() / "reports/notes.json"));
  CHECK(fs::exists(home.path() / "reports/9.txt"));
}

TEST_CASE("a damaged report is named, with what to do") {
  const TempDir home;
  const ReportStore store(home.path() / "reports", home.path() / "locks/reports");
  const fs::path file = store.save(BuildReport{});
  write_file_atomically(file, "{\"schema_version\": 1}");
  const std::string message = "'" + file.string() + "' is no report of kiln: misses 'kiln_version', remove '" +
                              file.string() + "' to see the one before";
  CHECK_ERROR(store.latest(), Category::machine, message.c_str());
}

TEST_CASE("a link to nothing in the place of the newest report is named") {
  const TempDir home;
  const ReportStore store(home.path() / "reports", home.path() / "locks/reports");
  store.save(BuildReport{});
  const fs::path link = home.path() / "reports/0000000009.json";
  fs::create_symlink("/nonexistent/x", link);
  const std::string message = "'" + link.string() + "' is a link to what is not there; remove it";
  CHECK_ERROR(store.latest(), Category::machine, message.c_str());
}

TEST_CASE("reports saved at the same time get numbers of their own") {
  const TempDir home;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      const ReportStore store(home.path() / "reports", home.path() / "locks/reports");
      for (int i = 0; i < 5; ++i) store.save(BuildReport{});
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(ReportStore(home.path() / "reports", home.path() / "locks/reports").list().size() == 20);
}

TEST_CASE("a report is written to a file and read back") {
  const TempDir folder;
  const fs::path file = folder.path() / "report.json";
  write_report(file, BuildReport{});
  write_report(file, test::sample_report());
  CHECK(to_json_text(read_report(file)) == to_json_text(test::sample_report()));
  CHECK_ERROR(write_report(folder.path() / "missing/report.json", BuildReport{}), Category::machine,
              doctest::Contains("no such file or directory"));
  CHECK_ERROR(read_report(folder.path() / "other.json"), Category::usage,
              doctest::Contains("/other.json': no such file or directory"));
}

TEST_CASE("a report can be written into a pipe, which stays a pipe") {
  const TempDir folder;
  const fs::path pipe = folder.path() / "pipe";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  std::string read;
  std::thread reader([&] {
    std::ifstream stream(pipe);
    read.assign(std::istreambuf_iterator<char>(stream), {});
  });
  write_report(pipe, BuildReport{});
  reader.join();
  CHECK(read == to_json_text(BuildReport{}));
  CHECK(fs::is_fifo(pipe));
}
