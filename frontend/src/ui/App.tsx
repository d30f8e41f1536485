import { QueryClient, QueryClientProvider, replaceEqualDeep } from "@tanstack/react-query";
import { Tooltip } from "radix-ui";
import { useEffect, useRef, useState } from "react";
import { createBrowserRouter, Outlet, RouterProvider, useMatch } from "react-router";
import { ApiError, notSignedIn } from "../api/client";
import type { User } from "../api/types";
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
import { ToastProvider, useToast } from "./kit/toast";
import { NotFoundPage } from "./NotFoundPage";
import { Shell } from "./Shell";
import { SignInPage } from "./SignInPage";
import { SessionContext, sessionQuery, useSession } from "./session";
import { ToSignIn } from "./ToSignIn";
import { Workbench } from "./workbench";

const EDITOR = "/images/:imageId";

// A browser that says it is offline may reach a server on its own machine or network, and what waited unseen for the
// network would be done long after it was asked for: every request is sent at once, and what fails says so.
const networkMode = "always";
const client = new QueryClient({
  defaultOptions: {
    queries: {
      networkMode,
      refetchOnReconnect: true,
      staleTime: 5000,
      retry: (failures, error) => failures < 2 && !(error instanceof ApiError && error.refused),
    },
    mutations: { networkMode },
  },
});

// Signed out meanwhile: ask who we are, and the sign-in page appears by itself.
notSignedIn.on(() => void client.invalidateQueries({ queryKey: sessionQuery.queryKey }));

/** Everything behind the sign-in. */
function SignedIn() {
  const session = useSession();
  const editing = useMatch(EDITOR) !== null;
  const [known, setKnown] = useState<User | null>(null);
  if (session.isPending) return <Loading label="Loading" />;
  if (session.isLoadingError) return <ErrorState error={session.error} retry={() => void session.refetch()} />;
  // The very same object as long as it says the same: the workbench below hangs on it.
  const asked = session.data.user && replaceEqualDeep(known, session.data.user);
  if (asked && asked !== known) setKnown(asked);
  // Nobody is thrown out of an image: what is made there waits in the journal, and a banner says how to go on.
  const user = asked ?? (editing ? known : null);
  return <Person user={user} />;
}

/** Everything of one person; whose page it is now is said where somebody else signs in in another tab. */
function Person({ user }: { user: User | null }) {
  const toast = useToast();
  const before = useRef<User | null>(null);
  useEffect(() => {
    if (!user) return;
    if (before.current && before.current.id !== user.id) {
      toast(
        `${user.username} has signed in in this browser. What ${before.current.username} did here is kept for them.`,
      );
    }
    before.current = user;
  }, [user, toast]);
  if (!user) return <ToSignIn />;
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
      { path: EDITOR, element: <EditorPage /> },
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
