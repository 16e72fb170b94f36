function "all" {
  params = [first]
  variadic_params = rest
  result = concat([first], [for r in rest: upper(r)])
}
target "default" {
  tags = all("a", "b", "c")
}
