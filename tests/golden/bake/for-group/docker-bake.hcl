target "default" {
  args = { for k, v in { for x in ["a1", "b1", "a2"]: substr(x, 0, 1) => x... }: k => join("+", v) }
}
