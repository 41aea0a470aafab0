// The script of a site with rules: all of it, and behind it what carries them
// out.

import './main';
import './rules';
