// Sets the chosen theme before anything is drawn, so that no page flashes in the other one.
try {
  const theme = localStorage.getItem("tramline.theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // A browser that forbids storage has no chosen theme.
}
