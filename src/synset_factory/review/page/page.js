// The keyboard, and a word while a prompt is drawn. Without this file every form and link works too.
"use strict";

const form = document.getElementById("clarify");
const field = document.getElementById("prompt");
const working = document.getElementById("working");

const press = (id) => document.getElementById(id)?.click();

document.querySelectorAll(".suggestion").forEach((button) => {
  button.addEventListener("click", () => {
    field.value = button.dataset.prompt;
    field.focus();
  });
});

// What was typed and neither tried nor kept is not left behind without a question.
let leaving = false;
window.addEventListener("beforeunload", (event) => {
  if (!leaving && field.value !== field.defaultValue) event.preventDefault();
});

document.querySelector("nav .here")?.scrollIntoView({ block: "nearest" });

form.addEventListener("submit", (event) => {
  leaving = true;
  const keeps = event.submitter?.id === "keep";
  working.textContent = keeps ? "Writing ..." : "Drawing ...";
  working.hidden = false;
  // Disabled only after the browser has taken the form: a disabled button is not submitted.
  setTimeout(() => form.querySelectorAll("button").forEach((b) => { b.disabled = true; }));
});

// Back from another page: the browser may show this one as it was left.
window.addEventListener("pageshow", () => {
  leaving = false;
  working.hidden = true;
  form.querySelectorAll("button").forEach((b) => { b.disabled = false; });
});

document.addEventListener("keydown", (event) => {
  const inField = event.target.matches("input, select");
  if (inField) {
    if (event.key === "Escape") event.target.blur();
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      press("keep");
    }
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (/^[1-9]$/.test(event.key)) {
    document.querySelectorAll(".suggestion")[Number(event.key) - 1]?.click();
    event.preventDefault();
    return;
  }
  const action = {
    n: () => press("next"),
    p: () => press("previous"),
    t: () => press("try"),
    k: () => press("keep"),
    e: () => { field.focus(); field.select(); },
  }[event.key];
  if (action) {
    event.preventDefault();
    action();
  }
});
