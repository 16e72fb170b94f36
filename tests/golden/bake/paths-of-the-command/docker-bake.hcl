variable "SRC" {
  default = "app"
}

target "default" {
  context    = "cwd://${SRC}"
  dockerfile = "sub/../Dockerfile"
  contexts = {
    lib    = "cwd://lib"
    parent = "target:tools"
  }
}

target "tools" {
  context = "cwd://"
}
