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

# What kiln says of its own words: manual pages and completions, where man(1) and the shells look for them.
install(CODE [[
  set(prefix "$ENV{DESTDIR}${CMAKE_INSTALL_PREFIX}")
  set(kiln "${prefix}/bin/kiln")
  set(shells bash fish zsh)
  set(files bash-completion/completions/kiln fish/vendor_completions.d/kiln.fish zsh/vendor-completions/_kiln)
  execute_process(COMMAND "${kiln}" manual "${prefix}/share/man/man1" OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
  foreach(shell file IN ZIP_LISTS shells files)
    get_filename_component(folder "${prefix}/share/${file}" DIRECTORY)
    file(MAKE_DIRECTORY "${folder}")
    execute_process(COMMAND "${kiln}" completion ${shell} OUTPUT_FILE "${prefix}/share/${file}" COMMAND_ERROR_IS_FATAL ANY)
  endforeach()
]])
