// Starts the app. Both files lie beside this one, in a folder named by their content.
import init from "./tramline.js";

init({ module_or_path: new URL("tramline_bg.wasm", import.meta.url) });
