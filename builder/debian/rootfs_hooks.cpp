#include "builder/debian/rootfs_hooks.hpp"

#include <fmt/format.h>

#include "base/text.hpp"

namespace kiln {

std::string setup_hook() {
  // Architectures differ in which lib folders they have; those that stay empty are removed at the end.
  return R"(#!/bin/sh
set -eu
cd "$1"
for folder in bin sbin lib lib32 lib64 libx32; do
  mkdir -p "usr/$folder"
  ln -s "usr/$folder" "$folder"
done

mkdir -p etc/dpkg/dpkg.cfg.d
cat > etc/dpkg/dpkg.cfg.d/slim <<'END'
# This image carries no documentation and no translations. Delete this file to have them installed again.
path-exclude=/usr/share/doc/*
path-include=/usr/share/doc/*/copyright
path-exclude=/usr/share/info/*
path-exclude=/usr/share/lintian/*
path-exclude=/usr/share/locale/*
path-include=/usr/share/locale/locale.alias
path-exclude=/usr/share/man/*
END
# A half-written root is thrown away as a whole, so nothing needs to be flushed while it is made.
echo force-unsafe-io > etc/dpkg/dpkg.cfg.d/unsafe-io

cat > usr/sbin/policy-rc.d <<'END'
#!/bin/sh
# No services are started in a container when their packages are installed.
exit 101
END
chmod 0755 usr/sbin/policy-rc.d
)";
}

std::string extract_hook() {
  return R"(#!/bin/sh
set -eu
cd "$1/usr/share"
for folder in doc info lintian locale man; do
  [ -d "$folder" ] || continue
  case "$folder" in
    doc) find doc ! -type d ! -name copyright -delete ;;
    locale) find locale ! -type d ! -name locale.alias -delete ;;
    *) find "$folder" ! -type d -delete ;;
  esac
  find "$folder" -mindepth 1 -type d -empty -delete
done
)";
}

std::string customize_hook(const DebianSpec& spec) {
  const bool is_rolling = spec.suite == "sid" || spec.suite == "unstable" || spec.suite == "experimental";
  const std::string components = join(spec.components, " ");
  const auto stanza = [&](std::string_view uri, std::string_view suites) {
    return fmt::format(
        "Types: deb\nURIs: {}\nSuites: {}\nComponents: {}\nSigned-By: "
        "/usr/share/keyrings/debian-archive-keyring.gpg\n",
        uri, suites, components);
  };
  std::string sources =
      stanza("http://deb.debian.org/debian", is_rolling ? spec.suite : fmt::format("{0} {0}-updates", spec.suite));
  if (!is_rolling) {
    sources += "\n" + stanza("http://deb.debian.org/debian-security", spec.suite + "-security");
  }
  return R"(#!/bin/sh
set -eu
cd "$1"

rm -f etc/resolv.conf etc/hostname etc/.pwd.lock etc/dpkg/dpkg.cfg.d/unsafe-io
rm -f etc/passwd- etc/group- etc/shadow- etc/gshadow- etc/subuid- etc/subgid-
rm -f var/cache/debconf/*-old var/lib/dpkg/*-old var/cache/ldconfig/aux-cache
find var/log -type f ! -name btmp ! -name faillog ! -name lastlog ! -name wtmp -delete
for folder in lib32 lib64 libx32; do
  if rmdir "usr/$folder" 2>/dev/null; then rm "$folder"; fi
done
# Packages that offer alternatives of manual pages fail where these folders are missing.
for section in 1 2 3 4 5 6 7 8; do mkdir -p "usr/share/man/man$section"; done

for folder in var/lib/apt/lists var/cache/apt; do
  if [ -d "$folder" ]; then find "$folder" ! -type d -delete; fi
done
rm -rf var/lib/apt/lists/auxfiles
rm -f etc/apt/sources.list
if [ -x usr/bin/apt-get ]; then
  cat > etc/apt/sources.list.d/debian.sources <<'END'
)" + sources +
         R"(END
  # The name under which docker's Debian images have it: Dockerfiles that keep apt's cache remove it by name.
  cat > etc/apt/apt.conf.d/docker-clean <<'END'
# Layers keep no downloaded packages and no binary caches. Delete this file to use apt's cache again.
DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/archives/partial/*.deb /var/cache/apt/*.bin || true"; };
APT::Update::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/archives/partial/*.deb /var/cache/apt/*.bin || true"; };
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
END
  cat > etc/apt/apt.conf.d/slim <<'END'
Acquire::GzipIndexes "true";
Acquire::Languages "none";
APT::AutoRemove::SuggestsImportant "false";
END
fi
)";
}

}  // namespace kiln
