target "a" {
  context = "./a/../b/"
}
target "b" {
  context = "https://github.com/acme/x.git#main:sub"
}
target "c" {
  context = "/abs//x/"
}
target "d" {
  context = "cwd://sub/"
}
target "e" {
  context = ""
}
target "f" {
  context = BAKE_CMD_CONTEXT
}
