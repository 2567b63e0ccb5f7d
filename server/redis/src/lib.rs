//! Redis as the broker and the view see it: settings, connections and scripts.
