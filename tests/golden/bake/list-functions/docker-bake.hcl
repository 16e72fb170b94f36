target "default" {
  args = { A = join(",", sort(["b", "a"])), B = join(",", distinct(["a", "a"])), C = join(",", reverselist(["a", "b"])), D = length(["x"]), E = contains(["a"], "a"), F = index(["a", "b"], 1), G = jsonencode(chunklist(["a", "b", "c"], 2)), H = jsonencode(setproduct(["a"], ["b", "c"])), I = join(",", compact(["a", ""])), J = indexof(["a", "b"], "b") }
}
