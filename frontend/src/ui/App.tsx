import { QueryCache, QueryClient, QueryClientProvider, useQuery } from "@tanstack/react-query";
import { Tooltip } from "radix-ui";
import { createBrowserRouter, Navigate, Outlet, RouterProvider, useLocation } from "react-router";
import { ApiError } from "../api/client";
import { api } from "../api/endpoints";
import { AccountPage } from "./AccountPage";
import { ComparePage } from "./dataset/ComparePage";
import { ConsensusPage } from "./dataset/ConsensusPage";
import { DatasetPage } from "./dataset/DatasetPage";
import { ExportTab } from "./dataset/ExportTab";
import { ImagesTab } from "./dataset/ImagesTab";
import { JobsTab } from "./dataset/JobsTab";
import { LogTab } from "./dataset/LogTab";
import { MaskPage } from "./dataset/MaskPage";
import { MeasurementsPage } from "./dataset/MeasurementsPage";
import { ModelPage } from "./dataset/ModelPage";
import { ModelTab } from "./dataset/ModelTab";
import { PeopleTab } from "./dataset/PeopleTab";
import { ProofTab } from "./dataset/ProofTab";
import { QualityTab } from "./dataset/QualityTab";
import { ReviewTab } from "./dataset/ReviewTab";
import { SimilarPage } from "./dataset/SimilarPage";
import { StagesTab } from "./dataset/StagesTab";
import { StatisticsTab } from "./dataset/StatisticsTab";
import { VideosTab } from "./dataset/VideosTab";
import { DatasetsPage } from "./datasets/DatasetsPage";
import { EditorPage } from "./editor/EditorPage";
import { FeedbackPage } from "./editor/FeedbackPage";
import { LabelNext } from "./editor/LabelNext";
import { JoinPage } from "./JoinPage";
import { ErrorState, Loading } from "./kit/kit";
import { ToastProvider } from "./kit/toast";
import { NotFoundPage } from "./NotFoundPage";
import { Shell } from "./Shell";
import { SignInPage } from "./SignInPage";
import { SessionContext } from "./session";
import { Workbench } from "./workbench";

const client = new QueryClient({
  queryCache: new QueryCache({
    onError: (error, query) => {
      // Signed out meanwhile: ask who we are, and the sign-in page appears by itself.
      const out = error instanceof ApiError && (error.status === 401 || error.code === "not_authenticated");
      if (out && query.queryKey[0] !== "session") void client.invalidateQueries({ queryKey: ["session"] });
    },
  }),
  defaultOptions: {
    queries: {
      staleTime: 5000,
      retry: (failures, error) =>
        failures < 2 && !(error instanceof ApiError && error.status >= 400 && error.status < 500),
    },
  },
});

/** Everything behind the sign-in. */
function SignedIn() {
  const session = useQuery({ queryKey: ["session"], queryFn: api.session, staleTime: 60_000 });
  const location = useLocation();
  if (session.isPending) return <Loading label="Loading" />;
  if (session.isLoadingError) return <ErrorState error={session.error} retry={() => void session.refetch()} />;
  const { user } = session.data;
  if (!user) return <Navigate to="/sign-in" replace state={{ from: location.pathname }} />;
  return (
    <SessionContext value={user}>
      <Workbench user={user} key={user.id}>
        <Outlet />
      </Workbench>
    </SessionContext>
  );
}

const router = createBrowserRouter([
  { path: "/sign-in", element: <SignInPage /> },
  { path: "/join/:secret", element: <JoinPage /> },
  {
    element: <SignedIn />,
    children: [
      {
        element: <Shell />,
        children: [
          { index: true, element: <DatasetsPage /> },
          {
            path: "datasets/:datasetId",
            element: <DatasetPage />,
            children: [
              { index: true, element: <ImagesTab /> },
              { path: "videos", element: <VideosTab /> },
              { path: "stages", element: <StagesTab /> },
              { path: "model", element: <ModelTab /> },
              { path: "models/compare", element: <ComparePage /> },
              { path: "models/:digest", element: <ModelPage /> },
              { path: "masks/:maskId", element: <MaskPage /> },
              { path: "review", element: <ReviewTab /> },
              { path: "statistics", element: <StatisticsTab /> },
              { path: "objects", element: <MeasurementsPage /> },
              { path: "objects/alike", element: <SimilarPage /> },
              { path: "proof", element: <ProofTab /> },
              { path: "quality", element: <QualityTab /> },
              { path: "overlaps/:taskId", element: <ConsensusPage /> },
              { path: "jobs", element: <JobsTab /> },
              { path: "export", element: <ExportTab /> },
              { path: "people", element: <PeopleTab /> },
              { path: "log", element: <LogTab /> },
            ],
          },
          { path: "datasets/:datasetId/label", element: <LabelNext /> },
          { path: "account", element: <AccountPage /> },
          { path: "training/:taskId", element: <FeedbackPage /> },
          { path: "*", element: <NotFoundPage /> },
        ],
      },
      { path: "images/:imageId", element: <EditorPage /> },
    ],
  },
]);

export function App() {
  return (
    <QueryClientProvider client={client}>
      <Tooltip.Provider delayDuration={350} skipDelayDuration={150}>
        <ToastProvider>
          <RouterProvider router={router} />
        </ToastProvider>
      </Tooltip.Provider>
    </QueryClientProvider>
  );
}
