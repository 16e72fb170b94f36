#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "builder/report/report_document.hpp"

namespace kiln {

// The pictures of the HTML page, each an <svg> that scales with the page; every shape has a <title> for who points at
// it. Empty where there is nothing to draw. Colours are the page's CSS classes.

// The page's class for a layer that so many have.
std::string_view css_class(LayerUse use);

// Stored bytes, hit rate and wall time of builds of the same images, oldest first, `report` being the last.
std::string svg_trend(const std::vector<BuildReport>& builds);

}  // namespace kiln
