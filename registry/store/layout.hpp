#pragma once

#include <string_view>

#include "base/file.hpp"

namespace kiln {

// Where everything lives below $KILN_HOME. The grammar of the folder, version 1:
//
//   version               "kiln home 1\n"; another version is refused, never migrated silently
//   oci/                  an OCI image layout (image-layout.md): oci-layout, index.json, blobs/sha256/HEX
//   indexes/HEX           text "DIGEST SIZE MEDIATYPE\n": the file index blob of the layer with diff ID sha256:HEX
//   blobinfo/HEX          text "DIFFID UNCOMPRESSED_BYTES\n": what the layer blob sha256:HEX was verified to hold
//   forms/HEX-FORM        text "DIGEST SIZE\n": the blob that the layer with diff ID sha256:HEX was compressed to as
//                         FORM
//   forms/HEX-FORM-shape  the same of a layer whose shape has the hash HEX (registry/store/layer_facts.hpp)
//   places/HEX            the repositories that the blob sha256:HEX was seen in (registry/store/seen_places.hpp)
//   attached/HEX          what was said of the image sha256:HEX, and where (registry/store/attached.hpp)
//   provenance/HEX        how the image sha256:HEX was made here (registry/store/image_provenance.hpp)
//   steps/HH/KEY          step records (builder/cache/step_record.hpp), HH = the key's first two digits
//   builds/               build records, one file a build (builder/cache/build_record.hpp)
//   reports/              the last reports
//   snapshots/N/fs        a layer's files as an overlayfs lower folder; snapshots/N/meta, snapshots/chains/HEX -> N
//   cache-mounts/         contents of RUN --mount=type=cache
//   runtime/probe         the container runtime that works here (builder/run/runtime_probe.hpp)
//   runtime/mnt           an empty folder that each container's worker mounts on, in a mount namespace of its own
//   debs/                 .deb files by digest
//   stat-cache            digests of files by device, inode, size and times
//   leases/               one flock'd file per process: the digests it uses
//   locks/                lock files, never removed while the home exists
//   tmp/                  what is being written; a file here that no process locks is garbage
//
// Everything that is published appears by fsync and rename.
class HomeLayout {
 public:
  // Creates what is missing, the folder itself for its owner alone. Error{machine} where the folder cannot be used or
  // has another version.
  static HomeLayout open(const fs::path& root);

  // $KILN_HOME, or /var/lib/kiln for root, else $XDG_DATA_HOME/kiln (~/.local/share/kiln).
  static fs::path default_root();

  const fs::path& root() const noexcept { return root_; }
  fs::path oci() const { return root_ / "oci"; }
  // What tells other programs that oci() is a layout, and the bytes it holds (OCI image spec, image-layout.md).
  fs::path oci_layout_file() const { return oci() / "oci-layout"; }
  static std::string_view oci_layout_text();
  fs::path blobs() const { return root_ / "oci/blobs/sha256"; }
  fs::path indexes() const { return root_ / "indexes"; }
  fs::path blob_info() const { return root_ / "blobinfo"; }
  fs::path forms() const { return root_ / "forms"; }
  fs::path seen_places() const { return root_ / "places"; }
  fs::path attached() const { return root_ / "attached"; }
  fs::path provenance() const { return root_ / "provenance"; }
  fs::path steps() const { return root_ / "steps"; }
  fs::path builds() const { return root_ / "builds"; }
  fs::path reports() const { return root_ / "reports"; }
  fs::path snapshots() const { return root_ / "snapshots"; }
  fs::path cache_mounts() const { return root_ / "cache-mounts"; }
  fs::path runtime() const { return root_ / "runtime"; }
  fs::path debs() const { return root_ / "debs"; }
  fs::path stat_cache() const { return root_ / "stat-cache"; }
  fs::path leases() const { return root_ / "leases"; }
  fs::path locks() const { return root_ / "locks"; }
  fs::path tmp() const { return root_ / "tmp"; }

 private:
  explicit HomeLayout(fs::path root) : root_(std::move(root)) {}
  fs::path version_file() const { return root_ / "version"; }
  bool is_whole() const;  // Error{machine} for another version
  fs::path root_;
};

}  // namespace kiln
