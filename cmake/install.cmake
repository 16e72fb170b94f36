# What `cmake --install` leaves: bin/kiln and, in lib/kiln, every shared library that it needs and that not every Linux has: all
# but those of glibc itself. So a tree made on Debian 12 runs wherever glibc is no older, with nothing else installed.
#
# kiln finds them by DT_RPATH and not DT_RUNPATH, for only the former counts for the libraries' own libraries too.
# The build's kiln has the same one: CMake would leave room for it by empty entries, and these mean the working directory.
set_target_properties(kiln PROPERTIES INSTALL_RPATH "$ORIGIN/../lib/kiln" BUILD_WITH_INSTALL_RPATH ON)
target_link_options(kiln PRIVATE LINKER:--disable-new-dtags)
install(TARGETS kiln RUNTIME_DEPENDENCY_SET kiln_libraries RUNTIME DESTINATION bin)
install(RUNTIME_DEPENDENCY_SET kiln_libraries
  PRE_EXCLUDE_REGEXES "^ld-linux" "^lib(c|m|dl|rt|pthread|resolv|util|anl|nss_.*)\\.so" "^linux-vdso"
  LIBRARY DESTINATION lib/kiln)
install(FILES ${PROJECT_SOURCE_DIR}/README.md DESTINATION share/doc/kiln)
