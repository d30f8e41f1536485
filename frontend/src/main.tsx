import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./ui/App";
import "./ui/styles/tokens.css";
import "./ui/styles/base.css";
import "./ui/styles/kit.css";
import "./ui/styles/layers.css";
import "./ui/styles/pages.css";
import "./ui/styles/images.css";
import "./ui/styles/data.css";
import "./ui/styles/loop.css";
import "./ui/styles/objects.css";
import "./ui/styles/ingest.css";
import "./ui/styles/transfers.css";
import "./ui/styles/editor.css";
import "./ui/styles/side.css";
import "./ui/styles/flow.css";
import "./ui/styles/view.css";
import "./ui/styles/timeline.css";
import "./ui/styles/videos.css";
import "./ui/styles/tools.css";
import "./ui/styles/charts.css";
import "./ui/styles/people.css";
import "./ui/styles/review.css";

const root = document.getElementById("root");
if (!root) throw new Error("index.html has no #root.");
createRoot(root).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
