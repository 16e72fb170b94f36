target "a" {
  args = { V = "1" }
  tags = ["x/a:1"]
  context = "ctx"
}
target "default" {
  args = { V = target.a.args.V, W = "${target.a.tags[0]}!" }
  context = target.a.context
}
