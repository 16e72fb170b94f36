#include <algorithm>

#include "builder/dockerfile/checks.hpp"
#include "tests/unit/dockerfile/support.hpp"

namespace kiln::dockerfile {
namespace {

// The lines at which one rule finds something in a stage with these instructions; the first has line 2.
std::vector<int> lines(const std::string& rule, const std::string& instructions,
                       const std::string& base = "debian:12") {
  std::vector<int> out;
  for (const Finding& finding : check("FROM " + base + "\n" + instructions + "\n", "Dockerfile").findings) {
    if (finding.rule == rule) out.push_back(finding.lines.first);
  }
  return out;
}

using Lines = std::vector<int>;

TEST_CASE("a RUN of nothing but a recursive chown or chmod") {
  CHECK(lines("ChownInOwnLayer", "RUN chown -R app:app /srv") == Lines{2});
  CHECK(lines("ChownInOwnLayer", "RUN set -e; chmod --recursive 755 /a && chown app /a") == Lines{2});
  CHECK(lines("ChownInOwnLayer", "RUN chown app /srv/file").empty());
  CHECK(lines("ChownInOwnLayer", "RUN mkdir /srv && chown -R app /srv").empty());
  CHECK(lines("ChownInOwnLayer", "RUN --mount=type=cache,target=/c chown -R app /c").empty());
  CHECK(lines("ChownInOwnLayer", "RUN <<EOF\nchown -R app /srv\nEOF") == Lines{2});
}

TEST_CASE("apt's lists") {
  CHECK(lines("AptListsLeftBehind", "RUN apt-get update && apt-get install -y curl") == Lines{2});
  CHECK(lines("AptListsLeftBehind", "RUN apt-get update && rm -rf /var/lib/apt/lists/*").empty());
  CHECK(lines("AptListsLeftBehind", "RUN --mount=type=cache,target=/var/lib/apt apt-get update").empty());
  CHECK(lines("AptListsLeftBehind", "RUN --mount=type=bind,target=/var/lib/apt apt-get update") == Lines{2});
  CHECK(lines("AptListsLeftBehind", "RUN echo 'apt-get update'").empty());
}

TEST_CASE("pip's cache") {
  CHECK(lines("PipCacheInLayer", "RUN pip install flask") == Lines{2});
  CHECK(lines("PipCacheInLayer", "RUN python3 -m pip install flask") == Lines{2});
  CHECK(lines("PipCacheInLayer", "RUN [\"pip3\", \"install\", \"flask\"]") == Lines{2});
  CHECK(lines("PipCacheInLayer", "RUN pip install --no-cache-dir flask").empty());
  CHECK(lines("PipCacheInLayer", "ENV PIP_NO_CACHE_DIR=1\nRUN pip install flask").empty());
  CHECK(lines("PipCacheInLayer", "RUN --mount=type=cache,target=/root/.cache/pip pip install flask").empty());
  CHECK(lines("PipCacheInLayer", "RUN pipx install flask").empty());
}

TEST_CASE("removing what an earlier layer holds") {
  CHECK(lines("RemovedInLaterLayer", "COPY big.tar /tmp/\nRUN tar xf /tmp/big.tar && rm /tmp/big.tar") == Lines{3});
  CHECK(lines("RemovedInLaterLayer", "COPY . /src\nRUN make -C /src && rm -rf /src/obj") == Lines{3});
  CHECK(lines("RemovedInLaterLayer", "RUN apt-get update\nRUN rm -rf /var/lib/apt/lists/*") == Lines{3});
  CHECK(lines("RemovedInLaterLayer", "COPY a /src/\nRUN rm -rf /srcs").empty());
  CHECK(lines("RemovedInLaterLayer", "RUN touch /a && rm /a").empty());
}

TEST_CASE("the whole context before the dependencies") {
  CHECK(lines("CopyBeforeDependencies", "COPY . /app\nRUN pip install -r requirements.txt") == Lines{2});
  CHECK(lines("CopyBeforeDependencies", "COPY requirements.txt /app/\nRUN pip install -r requirements.txt\nCOPY . /app")
            .empty());
  CHECK(lines("CopyBeforeDependencies", "COPY --from=a . /app\nRUN npm ci").empty());
  CHECK(lines("CopyBeforeDependencies", "COPY . /app\nRUN make").empty());
}

TEST_CASE("a machine's ARG above a heavy step that does not need it") {
  CHECK(lines("ProfileArgAboveHeavyRun", "ARG MACHINE\nRUN pip install flask") == Lines{2});
  CHECK(lines("ProfileArgAboveHeavyRun", "ARG MACHINE\nRUN pip install flask-$MACHINE").empty());
  CHECK(lines("ProfileArgAboveHeavyRun", "RUN pip install flask\nARG MACHINE\nRUN echo $MACHINE").empty());
  CHECK(lines("ProfileArgAboveHeavyRun", "ARG OTHER\nRUN pip install flask").empty());
}

TEST_CASE("CUDA brought by the base and by wheels") {
  CHECK(lines("CudaLibrariesTwice", "RUN pip install torch==2.3.1", "nvidia/cuda:12.1.0-runtime") == Lines{2});
  CHECK(lines("CudaLibrariesTwice", "RUN apt-get install -y cuda-runtime-12-1\nRUN pip install torch") == Lines{3});
  CHECK(lines("CudaLibrariesTwice", "RUN pip install torch --index-url https://example.org/whl/cpu",
              "nvidia/cuda:12.1.0-runtime")
            .empty());
  CHECK(lines("CudaLibrariesTwice", "RUN pip install torch==2.3.1").empty());
}

}  // namespace
}  // namespace kiln::dockerfile
