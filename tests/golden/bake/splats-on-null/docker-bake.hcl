target "default" {
  args = {
    a = [1,2,3][*] == [1,2,3]
    b = jsonencode([{a=[{b=1},{b=2}]},{a=[]}][*].a[*].b)
    c = jsonencode({a=1}.*)
    d = jsonencode([[1,2],[3]].*.0)
    e = jsonencode(null == null ? [] : null)
    f = jsonencode([for k in {z=1,a=2} : k])
    g = jsonencode({for i, v in ["a","b"] : v => i if i > 0})
    h = jsonencode([for o in [{n="x", v=null},{n="y",v=1}] : o.v if o.v != null])
    i = jsonencode(merge({a=1}, null, {b=2}))
    j = jsonencode(concat([1],["a"],[[]]))
    k = "${[1,2,3][1]}${{a="b"}["a"]}"
    l = format("%s %v %d%%", "a", true, 5)
    m = "a" == "a" && !("b" == "c") || false
    n = 3 > 2 == true
    o = -5 % 3
  }
}
